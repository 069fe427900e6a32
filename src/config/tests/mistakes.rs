//! What each mistake is called, word by word.

use super::*;

/// The error of chat.toml with an overlay and a `--set`, at load or when all ports are asked for.
fn error(over: &str, sets: &[&str]) -> String {
    let loaded = load(&[CHAT, over], sets).and_then(|config| {
        config.check_names(
            &names(&["chat", "viewers"]),
            &names(&["chat_summary_minute", "moments"]),
        )?;
        for source in ["chat", "viewers"] {
            config.source(source)?;
        }
        for view in ["chat_summary_minute", "moments"] {
            config.view(view)?;
            config.sinks(view)?;
        }
        Ok(())
    });
    let error = loaded.expect_err("it is refused");
    assert_eq!(error.kind(), crate::error::Kind::Config);
    error.to_string()
}

#[test]
fn unknown_keys_are_refused() {
    let check = |over: &str, expect: &str| assert_eq!(error(over, &[]), expect, "{over}");
    check("conect = {}", "over.toml:1: unknown key `conect`\n  hint: did you mean `connect`?");
    check(
        "[connect]\nattempt = 3",
        "over.toml:2: connect: unknown key `attempt`\n  hint: did you mean `attempts`?",
    );
    check(
        "[flow]\nspeed = 3",
        "over.toml:2: flow: unknown key `speed`\n  hint: known here are `tick`, `tick_max`, \
         `ticks_in_flight_max`, `state_bytes_max`, `key_groups`",
    );
    check(
        "[checkpoint]\nevry = '1s'",
        "over.toml:2: checkpoint: unknown key `evry`\n  hint: did you mean `every`?",
    );
}

#[test]
fn unknown_keys_of_ports_are_refused() {
    let check = |over: &str, expect: &str| assert_eq!(error(over, &[]), expect, "{over}");
    check(
        "[source.chat]\nidle_timeot = '1s'",
        "over.toml:2: source.chat: unknown key `idle_timeot`\n  hint: did you mean `idle_timeout`?",
    );
    check(
        "[source.chat]\nkafak = { topic = 'x' }",
        "over.toml:2: source.chat: unknown key `kafak`\n  hint: did you mean `kafka`?",
    );
    check(
        "[source.chat]\njson.eror = 'x'",
        "over.toml:2: source.chat.json: unknown key `eror`\n  hint: did you mean `errors`?",
    );
    check(
        "[source.\"*\"]\ndedup = { feild = 'event_id' }",
        "over.toml:2: source.chat.dedup: unknown key `feild`\n  hint: did you mean `field`?",
    );
    check(
        "[sink.moments]\nstmp = 'x'",
        "over.toml:2: sink.moments: unknown key `stmp`\n  hint: did you mean `stamp`?",
    );
    check(
        "[[sink.moments]]\nconsole = {}\nrow = 'final'",
        "over.toml:3: sink.moments: unknown key `row`\n  \
         hint: did you mean `rows`, `queue_rows_max`?",
    );
    check(
        "[view.moments]\nengin = 'hash'",
        "over.toml:2: view.moments: unknown key `engin`\n  hint: did you mean `engine`?",
    );
    check(
        "[dead_letters]\nconsole = {}\nstamps = 'x'",
        "over.toml:3: dead_letters: unknown key `stamps`\n  hint: did you mean `stamp`?",
    );
    assert_eq!(
        error("", &["source.chat.idle_timeot=5s"]),
        "--set source.chat.idle_timeot: source.chat: unknown key `idle_timeot`\n  \
         hint: did you mean `idle_timeout`?",
    );
}

#[test]
fn wrong_values_are_refused_with_the_form_that_is_right() {
    let check = |over: &str, expect: &str| assert_eq!(error(over, &[]), expect, "{over}");
    check(
        "[connect]\nevery = 2",
        "over.toml:2: connect: `every` must be text such as \"2s\", not the integer 2",
    );
    check(
        "[connect]\nevery = '2 fortnights'",
        "over.toml:2: connect: `every`: `2 fortnights` is no duration: its unit is none of us, \
         ms, s, m, h, d; write one like \"5m\"",
    );
    check(
        "[connect]\nattempts = 0",
        "over.toml:2: connect: `attempts` must be a whole number, 1 or more, such as 60, \
         not the integer 0",
    );
    check(
        "[http]\nlisten = '8080'",
        "over.toml:2: http: `listen`: must be \"auto\", \"off\" or an address such as \
         \"127.0.0.1:8080\"",
    );
    check("[flow]\ntick = '0ms'", "over.toml:2: flow: `tick`: must be longer than `0ms`");
    check("[flow]\ntick = '1s'", "over.toml:1: flow: `tick` must not be longer than `tick_max`");
}

#[test]
fn wrong_values_of_ports_are_refused() {
    let check = |over: &str, expect: &str| assert_eq!(error(over, &[]), expect, "{over}");
    check(
        "[source]\nqueue_bytes_max = '1 MeB'",
        "over.toml:2: source.chat: `queue_bytes_max`: `1 MeB` is no size: its unit is none of \
         B, KiB, MiB, GiB, TiB, kB, MB, GB; write one like \"64MiB\"",
    );
    check(
        "[source.chat]\nlateness_rule = 'loose'",
        "over.toml:2: source.chat: `lateness_rule` must be \"window\" or \"strict\", not \"loose\"",
    );
    check(
        "[source.chat]\nwatermark_scope = 'world'",
        "over.toml:2: source.chat: `watermark_scope` must be \"partition\" or \"global\", not \
         \"world\"",
    );
    check(
        "[source.chat]\nmax_rate_per_partition = 'much'",
        "over.toml:2: source.chat: `max_rate_per_partition` must be a whole number, 1 or more, \
         such as 1500, not the text \"much\"",
    );
    check(
        "[sink.moments]\noverwrite = 1",
        "over.toml:2: sink.moments: `overwrite` must be true or false, not the integer 1",
    );
    check(
        "[view.moments]\nkey = 'id'",
        "over.toml:2: view.moments: `key` must be an array of text such as \
         [\"stream_id\", \"window_start\"], not the text \"id\"",
    );
    check(
        "[source]\nlateness = '5s'",
        "over.toml:2: `source.lateness` must be a table, not the text \"5s\"\n  \
         hint: write `source.lateness.KEY`, or `source.\"*\".lateness` for every source",
    );
    check("sink = 5", "over.toml:1: `sink` must be tables such as [sink.NAME]");
    check(
        "connect = 5",
        "over.toml:1: `connect` must be a table such as [connect], not the integer 5",
    );
    check(
        "[source.chat]\nkafka = 'chat'",
        "over.toml:2: source.chat: `kafka` must be a table of its options, not the text \"chat\"",
    );
    check(
        "[source.chat]\narrival = 'costs $5'",
        "over.toml:2: source.chat: `arrival` is wrong: a `$` has no name behind it; write `$$` \
         for a dollar",
    );
    check(
        "[source.chat]\ndedup.memory = '1h'",
        "over.toml:2: source.chat.dedup: `field` is missing\n  \
         hint: name the field that repetitions share: field = \"event_id\"",
    );
}

#[test]
fn a_port_has_exactly_one_binding_and_a_name_that_the_dataflow_knows() {
    assert_eq!(
        error("[source.chat]\nkafka = {}\nfile = {}", &[]),
        "over.toml:2: source.chat: `kafka` and `file` are two bindings; exactly one is needed\n  \
         hint: several sinks of a view are written as [[sink.NAME]]",
    );
    assert_eq!(
        error("[[sink.moments]]\nstamp = 'x'", &[]),
        "no binding for the sink `moments`\n  hint: write [sink.moments] with a table of one of \
         `blackhole`, `console`, `kafka`, `parquet`, `postgres`; the files name \
         `chat_summary_minute`",
    );
    assert_eq!(
        load(&[CHAT], &[]).unwrap().source("chatter").unwrap_err().to_string(),
        "no binding for the source `chatter`\n  hint: write [source.chatter] with a table of one \
         of `file`, `generator`, `kafka`; the files name `chat`, `viewers`",
    );
    assert_eq!(
        error("[source.chatt]\nkafka = {}", &[]),
        "over.toml:1: source.chatt: the dataflow `chat` has no source `chatt`\n  \
         hint: did you mean `chat`?",
    );
    assert_eq!(
        error("[view.summaries]\nengine = 'hash'", &[]),
        "over.toml:1: view.summaries: the dataflow `chat` has no view `summaries`\n  \
         hint: known here are `chat_summary_minute`, `moments`",
    );
    assert_eq!(
        error("", &["sink.moment.console={}"]),
        "--set sink.moment.console: sink.moment: the dataflow `chat` has no view `moment`\n  \
         hint: did you mean `moments`?",
    );
}

#[test]
fn what_is_not_built_is_refused_plainly() {
    let check = |over: &str, expect: &str| {
        assert_eq!(error(over, &[]), format!("{expect}\n  hint: leave it out"), "{over}");
    };
    check(
        "[flow]\nstate_bytes_max = '1GiB'",
        "over.toml:2: flow: `state_bytes_max` cannot be used: a limit on bytes of state, beside \
         `keys_max` of a view, is not built yet",
    );
    check(
        "[flow]\nkey_groups = 512",
        "over.toml:2: flow: `key_groups` cannot be used: another number of key groups than 256 is \
         not built yet",
    );
    check(
        "[view.moments]\nserve = true",
        "over.toml:2: view.moments: `serve` cannot be used: the web interface is not built yet",
    );
    assert!(load(&[CHAT, "[view.moments]\nserve = false"], &[]).is_ok());
}

#[test]
fn unreadable_and_broken_files_are_named() {
    let path = PathBuf::from("/nowhere/chat.toml");
    let missing = Config::load(KINDS, &[("chat.toml", CHAT)], &[path], &[], &env);
    assert_eq!(
        missing.unwrap_err().to_string(),
        "/nowhere/chat.toml: cannot be read: No such file or directory (os error 2)\n  \
         hint: is the path right from here? `highwater list jobs` names embedded files",
    );
    assert_eq!(
        error("[connect]\nevery = \"2s\n", &[]),
        "over.toml:2: not TOML at `every = \"2s`: invalid basic string, expected `\"`",
    );
    assert_eq!(error("a = 1\na = 2", &[]), "over.toml:2: not TOML at `a = 2`: duplicate key",);
    assert_eq!(
        load(&["[connect]"], &[]).unwrap_err().to_string(),
        "no file says which dataflow to run\n  hint: write dataflow = \"chat\"",
    );
}

#[test]
fn a_broken_set_is_named() {
    let check = |set: &str, why: &str| {
        let hint = "write one like --set 'source.\"*\".max_rate_per_partition=1500'";
        assert_eq!(error("", &[set]), format!("--set {set}: {why}\n  hint: {hint}"));
    };
    check("connect.every", "there is no `=` behind the path");
    check("=5", "the path is not one of TOML's dotted keys");
    check("source.*.lateness=5s", "the path is not one of TOML's dotted keys");
    check("a.b\nc=5", "the path is not one of TOML's dotted keys");
}

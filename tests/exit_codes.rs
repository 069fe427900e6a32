//! What the command line answers to bad input: an exit code, a sentence, and the way out.
//!
//! 64 the command line, 65 configuration, 75 unreachable. Nothing panics, nothing is written to
//! standard output, and every answer says what to do.

use std::fs;
use std::net::TcpListener;
use std::time::Duration;

use highwater::testing::{KafkaServer, Scratch};

use crate::binary::{highwater, run_in};
use crate::cluster::limited;
use crate::cluster::support::Running;

/// Words of which every answer has one: a hint of ours, one of the parser, or a form to copy.
const WAYS_OUT: &[&str] =
    &["hint: ", "tip: ", "try '--help'", "such as", "must be", "write ", "expected "];

/// The files that lie in the folder of a case.
const FILES: &[(&str, &str)] = &[
    ("taken.csv", "stream_id\n"),
    ("broken.toml", "[source.chat\n"),
    ("unknown.toml", "[conect]\nevery = \"1s\"\n"),
    ("two.toml", "[[sink.moments]]\nconsole = {}\nfile = { path = \"a.csv\" }\n"),
    ("unset.toml", "[source.chat]\nlateness = \"$NOT_SET_ANYWHERE\"\n"),
    ("port.toml", "[source.chatt]\nlateness = \"1s\"\n"),
];

/// Runs a command line, split at spaces, and compares code and answer.
fn check(line: &str, code: i32, part: &str) {
    let dir = Scratch::new("exit-codes");
    for (name, text) in FILES {
        fs::write(dir.path().join(name), text).expect("a file of the case");
    }
    let args: Vec<&str> = line.split_whitespace().collect();
    let ended = run_in(dir.path(), &args);
    let said = &ended.stderr;
    assert_eq!(ended.code, Some(code), "highwater {line}\n{said}");
    assert!(said.contains(part), "highwater {line}\n{said}\nexpected: {part}");
    assert!(WAYS_OUT.iter().any(|way| said.contains(way)), "no way out: highwater {line}\n{said}");
    for bug in ["panicked", "bug of highwater", "backtrace", "RUST_BACKTRACE"] {
        assert!(!said.contains(bug), "highwater {line}\n{said}");
    }
    assert_eq!(ended.stdout, "", "highwater {line}");
}

/// One way to each code, of a process alone and of one among others; what only the code tells.
#[test]
fn a_process_ends_with_one_of_six_codes() {
    let dir = Scratch::new("codes");
    fs::create_dir(dir.path().join("full")).expect("a folder");
    let hole = "--set sink.\"*\"={blackhole={}} --set dead_letters={blackhole={}}";
    let full = "--set sink.moments.file={path=\"full/moments.csv\"} \
                --set sink.chat_summary_minute={file={path=\"full/summary.csv\"}} \
                --set sink.chat_summary_minute.retry_max=\"1ms\" \
                --set source.chat.generator={dataset=\"chat.chat\",rate=100,keys=20} ";
    let saved = "--set checkpoint.path=\"saved\" --set checkpoint.every=\"100ms\"";
    let panics = ("HIGHWATER_FAILPOINTS", "ckpt.before_write=panic@1");
    let none = ("HIGHWATER_FAILPOINTS", "");
    let table: &[(&str, (&str, &str), bool, i32)] = &[
        (&format!("run chat --for 300ms {hole}"), none, false, 0),
        ("run chatt", none, false, 64),
        ("run chat --set conect.every=1s", none, false, 65),
        (&format!("run chat {hole} {saved}"), panics, false, 70),
        (
            &format!("cluster chat -n 2 {hole} {saved} --set cluster.restarts_max=1"),
            panics,
            false,
            70,
        ),
        (&format!("run chat {full}"), none, true, 74),
        ("run chat -n 2 -p 0 --connect-timeout 200ms -h hosts", none, false, 75),
    ];
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a free port").port();
    fs::write(dir.path().join("hosts"), format!("127.0.0.1:{port}\n127.0.0.1:1\n")).expect("hosts");
    for (line, (name, value), is_limited, code) in table {
        let mut command = highwater();
        command.args(line.split_whitespace());
        let mut command = limited(command, *is_limited);
        command.current_dir(dir.path()).env(name, value);
        let ended = Running::start(command, dir.path(), "case").end(Duration::from_secs(60));
        assert_eq!(ended.code, Some(*code), "highwater {line}\n{}", ended.err);
        assert!(*code == 0 || ended.err.contains("error: "), "highwater {line}\n{}", ended.err);
    }
}

#[test]
fn a_wrong_command_line_is_64() {
    let check = |line, part| check(line, 64, part);
    check("chek", "similar subcommand exists: 'check'");
    check("run chatt", "no system is called `chatt`\n  hint: there is `chat`");
    check("check chatt", "no system is called `chatt`\n  hint: there is `chat`");
    check("run chat chta", "no job is called `chta`\n  hint: there is `chat`");
    check("run chat --fro earliest", "similar argument exists: '--from'");
    check("run chat -w 0", "write a number from 1 to 1024");
    check("run chat -w -1", "'-1'");
    check("run chat -w two", "write a number from 1 to 1024");
    check("run chat -w 100000", "write a number from 1 to 1024");
    check("run chat --for 5", "it has no unit (us, ms, s, m, h, d)");
    check("run chat --for 5parsec", "its unit is none of us, ms, s, m, h, d");
    check("run chat --for soon", "it does not begin with a number");
    check("run chat --from yesterday", "none of earliest, latest, an offset");
    check("run chat --from -3", "'-3'");
    check("run chat --from 0:x", "none of earliest, latest, an offset");
    check("run chat --set", "a value is required for '--set <PATH=VALUE>'");
    check("list job", "similar value exists: 'jobs'");
}

#[test]
fn a_wrong_command_line_of_generate_is_64() {
    let check = |line, part| check(line, 64, part);
    check("generate", "<SYSTEM[.TOPIC]>");
    check("generate chatt", "no data set named `chatt`\n  hint: there is `chat`");
    check("generate chat.viewers", "no topic `viewers`\n  hint: there is `viewer`");
    check("generate chat --rat 5", "similar argument exists: '--rate'");
    check("generate chat --rate 0", "`rate` is 0, but must be above 0");
    check("generate chat --rate fast", "expected f64");
    check("generate chat --events -5", "`-5`");
    check("generate chat --late 2", "a share is 0 to 1");
    check("generate chat --late 0.6 --future 0.6", "add up to 1.2");
    check("generate chat --disorder 3", "it has no unit");
    check("generate chat --partitions 0", "`partitions` is 0");
    check("generate chat --dialect other", "unknown variant `other`");
    check("generate chat --start yesterday", "write `now`, or one like");
    check("generate chat --files out --kafka localhost:1", "cannot be used with");
    check("generate chat --overwrite", "--files");
    check("generate chat --kafka localhost:1 --client x", "there is no `=` behind the name");
}

#[test]
fn a_wrong_file_or_set_is_65() {
    let check = |line, part| check(line, 65, part);
    check("run chat -c nowhere.toml", "nowhere.toml: cannot be read: No such file");
    check("run chat -c .", "cannot be read: Is a directory");
    check("run chat -c broken.toml", "broken.toml:1: not TOML at `[source.chat`");
    check("run chat -c unknown.toml", "unknown key `conect`\n  hint: did you mean `connect`?");
    check("run chat -c port.toml", "no source `chatt`\n  hint: did you mean `chat`?");
    check("run chat -c two.toml", "`file` and `console` are two bindings");
    check("run chat -c unset.toml", "environment variable NOT_SET_ANYWHERE, it is not set");
    check("check chat -c unset.toml", "environment variable NOT_SET_ANYWHERE, it is not set");
    check("run chat --set connect.every", "there is no `=` behind the path");
    check("run chat --set conect.every=1s", "did you mean `connect`?");
    check("run chat --set connect.attempts=0", "`attempts` must be a whole number, 1 or more");
    check("run chat --set connect.every=2", "`every` must be text such as \"2s\"");
    check("run chat --set sink.moment.console={}", "no view `moment`");
    check("run chat --set source.chat={kafk={}}", "did you mean `kafka`?");
    check("run chat --set source.chat.kafka={topic=\"x\"}", "the key `brokers` is missing");
    check("run chat --set source.chat.lateness=5", "`lateness` must be text such as");
    check("run chat --set source.chat.lateness=5parsec", "its unit is none of");
    check("run chat --set source.chat.generator={dataset=\"chad.chat\"}", "no data set named");
    check("run chat --set source.chat.generator={dataset=\"chat\",rat=1}", "there is `rate`");
    check("run chat --set source.chat.file={path=\"none/*.jsonl\"}", "no file matches");
    check("run chat --set dataflow=chatt", "the files are for the dataflow `chatt`");
}

#[test]
fn a_wrong_parameter_or_window_is_65() {
    let check = |sets: &str, part| {
        let sets: Vec<&str> = sets.split(' ').collect();
        let sets = sets.join(" --set parameters.");
        check(&format!("run chat --set parameters.{sets}"), 65, part);
    };
    check("windw=1m", "did you mean `window`?");
    check("window=0s", "holds nothing");
    check("slide=0s", "holds nothing");
    check("window=-5s", "`window` must be a duration");
    check("window=5", "`window` must be a duration");
    check("slide=2m", "the slide (120s) is longer than the window (60s)");
    check("window=1500us slide=1500us", "does not end on a whole millisecond");
    check("window=1d slide=1s", "slices");
    check("threshold=high", "`threshold` must be a number such as 3.0");
    check("top_emotes=loudest", "top_emotes");
}

#[test]
fn a_sink_that_does_not_fit_its_view_is_65() {
    let check = |line, part| check(line, 65, part);
    check("run chat --set view.moments.key=[\"stream\"]", "key column `stream` is none of view");
    check("run chat --set sink.moments.file={path=\"taken.csv\"}", "`taken.csv` is there already");
    check("check chat --set sink.moments.file={path=\"taken.csv\"}", "is there already");
    check("run chat --set sink.moments.file={path=\"a.xyz\"}", "end the name in .csv or .jsonl");
    check("run chat --set sink.moments.rows=\"updates\"", "more than the dataflow declares");
    check(
        "run chat --set sink.chat_summary_minute.file={path=\"new.csv\"} \
         --set sink.chat_summary_minute.rows=\"updates\"",
        "this sink only appends, so it cannot take updates",
    );
}

#[test]
fn a_view_that_outgrows_its_limit_is_65() {
    // Two channels in one slice are enough; the rows go nowhere.
    let line = "run chat -w 1 --set sink.\"*\".blackhole={} --set view.moments.keys_max=1";
    check(line, 65, "view `moments` holds");
    check(line, 65, "groups on worker 0, `keys_max` is 1\n  hint: a restart would not help");
    let line = format!("{line} --set view.chat_summary_minute.engine=\"differential\"");
    check(&line, 65, "view `moments` holds");
}

#[test]
fn what_is_away_is_75() {
    let check = |line, part| check(line, 75, part);
    check(
        "run chat --set connect.attempts=2 --set connect.every=10ms \
         --set source.chat.kafka={topic=\"x\",brokers=\"localhost:1\"}",
        "source `chat`: kafka at localhost:1 does not answer",
    );
    check(
        "run chat --set connect.attempts=2 --set connect.every=10ms \
         --set sink.moments.postgres={url=\"postgresql://me@localhost:1/x\",table=\"moments\"}",
        "view `moments`: PostgreSQL at localhost:1/x: ",
    );
    check(
        "generate chat --kafka localhost:1 --connect-attempts 1",
        "ERROR: Kafka not available after 1 attempts",
    );
    check(
        "check chat --set source.chat.kafka={topic=\"x\",brokers=\"localhost:1\"}",
        "localhost:1",
    );
}

#[test]
fn check_reports_every_problem_and_the_worst_decides() {
    let away = "--set source.chat.kafka={topic=\"x\",brokers=\"localhost:1\"} \
                --set sink.moments.postgres={url=\"postgresql://localhost:1/x\",table=\"t\"}";
    check(&format!("check chat {away}"), 75, "there are 2 problems");
    let wrong =
        format!("check chat {away} --set sink.chat_summary_minute.file={{path=\"taken.csv\"}}");
    check(&wrong, 65, "there are 3 problems");
    check(&wrong, 65, "`taken.csv` is there already");
    check(&wrong, 65, "kafka at localhost:1 does not answer");
    let keys = "--set view.moments.key=[\"a\"] --set view.chat_summary_minute.key=[\"b\"]";
    check(&format!("check chat {keys}"), 65, "key column `a` is none");
    check(&format!("check chat {keys}"), 65, "key column `b` is none");
}

#[test]
fn a_password_is_never_shown() {
    let dir = Scratch::new("secrets");
    let url = "postgresql://me:hunter2@localhost:1/x?application_name=a";
    let set = format!("sink.moments.postgres={{url=\"{url}\",table=\"moments\"}}");
    for command in ["check", "run"] {
        let wait = "connect.attempts=1";
        let ended = run_in(dir.path(), &[command, "chat", "-vv", "--set", &set, "--set", wait]);
        assert_eq!(ended.code, Some(75), "{}", ended.stderr);
        assert!(!ended.stderr.contains("hunter2"), "{}", ended.stderr);
    }
}

#[test]
fn a_missing_topic_is_65_until_it_is_made() {
    let Some(kafka) = KafkaServer::shared() else { return };
    let dir = Scratch::new("topics");
    let brokers = kafka.brokers();
    let set = format!("source.chat.kafka={{topic=\"exit.codes\",brokers=\"{brokers}\"}}");
    let run = |command: &[&str]| run_in(dir.path(), &[command, &["chat", "--set", &set]].concat());
    for command in ["run", "check"] {
        let ended = run(&[command]);
        assert_eq!(ended.code, Some(65), "{}", ended.stderr);
        assert!(ended.stderr.contains("topic `exit.codes` is not there"), "{}", ended.stderr);
        assert!(ended.stderr.contains("check --create"), "{}", ended.stderr);
    }
    let ended = run(&["check", "--create"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("made topic `exit.codes` with 3 partitions"), "{}", ended.stderr);
    assert!(ended.stdout.contains("kafka exit.codes on"), "{}", ended.stdout);
    assert_eq!(run(&["check"]).code, Some(0));
}

#[test]
fn generate_fills_the_topics_of_a_data_set() {
    let Some(kafka) = KafkaServer::shared() else { return };
    let dir = Scratch::new("generate");
    let brokers = kafka.brokers();
    let admin = highwater::source::kafka::Admin::new(&brokers, &Default::default()).expect("admin");
    // The topics of `campus` are those of `elearning`.
    for kind in highwater_datasets::GENERATORS.iter().filter(|kind| kind.name != "campus") {
        let args = ["generate", kind.name, "--kafka", &brokers, "--events", "500", "--unpaced"];
        let ended = run_in(dir.path(), &args);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        for topic in kind.topics {
            let made = format!("made topic `{}` with {} partitions", topic.name, topic.partitions);
            assert!(ended.stderr.contains(&made), "{}", ended.stderr);
        }
        let ends = kind.topics.iter().map(|topic| admin.end_offsets(topic.name).expect("offsets"));
        let records: i64 = ends.flat_map(|ends| ends.into_values()).sum();
        assert_eq!(records, 500, "{}", kind.name);
    }
}

#[test]
fn generate_writes_documents_of_every_system() {
    let dir = Scratch::new("systems");
    for kind in highwater_datasets::GENERATORS {
        let ended = run_in(dir.path(), &["generate", kind.name, "--events", "20", "--unpaced"]);
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let lines: Vec<&str> = ended.stdout.lines().collect();
        assert_eq!(lines.len(), 20, "{}", kind.name);
        for line in lines {
            assert!(serde_json::from_str::<serde_json::Value>(line).is_ok(), "{line}");
        }
    }
    let check = |args: &str, expect: &str| {
        let args: Vec<&str> = args.split(' ').collect();
        let ended = run_in(dir.path(), &[&["generate"], &args[..], &["--events", "9"]].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(ended.stdout.contains(expect), "{args:?}: {}", ended.stdout);
    };
    check("elearning --unpaced --profile upstream", "\"event_type\":\"");
    check("shop --unpaced --types product_review=100000", "\"product_review\"");
    check("market.binance --unpaced --symbols AUSDT,BUSDT --batch upstream", "\"BUSDT\"");
}

#[test]
fn the_same_seed_and_start_give_the_same_bytes_in_files_and_on_stdout() {
    let dir = Scratch::new("files");
    let same = ["generate", "chat", "--events", "300", "--unpaced", "--seed", "9"];
    let same = [&same[..], &["--start", "2026-01-31T12:00:00Z"]].concat();
    let lines = run_in(dir.path(), &same);
    assert_eq!(lines.code, Some(0), "{}", lines.stderr);
    assert_eq!(lines.stdout, run_in(dir.path(), &same).stdout);
    let files = run_in(dir.path(), &[&same[..], &["--files", "out"]].concat());
    assert_eq!((files.code, files.stdout.as_str()), (Some(0), ""), "{}", files.stderr);
    let read = fs::read_dir(dir.path().join("out")).expect("the folder").flatten();
    let mut found: Vec<String> = read
        .flat_map(|file| {
            fs::read_to_string(file.path())
                .map(|text| text.lines().map(str::to_owned).collect::<Vec<_>>())
        })
        .flatten()
        .collect();
    let mut expect: Vec<String> = lines.stdout.lines().map(str::to_owned).collect();
    found.sort();
    expect.sort();
    assert_eq!(found.len(), 300);
    assert_eq!(found, expect);
}

#[test]
fn a_plan_is_open_loop_and_for_ends_it() {
    let dir = Scratch::new("pace");
    let begun = std::time::Instant::now();
    let ended = run_in(dir.path(), &["generate", "chat", "--rate", "200", "--for", "1s"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.stdout.lines().count(), 200);
    assert!(900 < begun.elapsed().as_millis());
    assert!(ended.stderr.contains("behind the plan"), "{}", ended.stderr);
}

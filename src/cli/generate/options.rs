//! The options of data sets on the command line: clap's arguments made from their lists, so that
//! `--help` names them all and a mistyped one is answered with the nearest name.

use std::fmt::Write;

use clap::{Arg, ArgMatches, Command};
use toml::Value;

use crate::dataset::{COMMON_OPTIONS, GeneratorKind, GeneratorOptions, OptionKind};
use crate::error::{Error, Kind, Result};
use crate::time::Time;

/// Adds an argument for each option of each data set to the command `generate`.
pub(in crate::cli) fn with_options(command: Command, kinds: &'static [GeneratorKind]) -> Command {
    command.mut_subcommand("generate", |generate| {
        let common = COMMON_OPTIONS.iter().map(|option| argument(option, kinds, "Records"));
        let own = own_options(kinds)
            .into_iter()
            .map(|(kind, option)| argument(option, kinds, kind.name).help_heading(heading(kind)));
        generate.args(common.chain(own))
    })
}

/// The values that were given, by the name of the option.
pub(super) fn given(
    matches: &ArgMatches,
    kinds: &'static [GeneratorKind],
) -> Vec<(&'static str, String)> {
    let own = own_options(kinds).into_iter().map(|(_, option)| option.name);
    let names = COMMON_OPTIONS.iter().map(|option| option.name).chain(own);
    let value = |name: &'static str| Some((name, matches.get_one::<String>(name)?.clone()));
    names.filter_map(value).collect()
}

/// Options that are not common ones, each with the first data set that has it.
fn own_options(
    kinds: &'static [GeneratorKind],
) -> Vec<(&'static GeneratorKind, &'static OptionKind)> {
    let mut found: Vec<(&GeneratorKind, &OptionKind)> = Vec::new();
    let all = kinds.iter().flat_map(|kind| kind.options.iter().map(move |option| (kind, option)));
    for (kind, option) in all {
        let mut known = COMMON_OPTIONS.iter().chain(found.iter().map(|(_, option)| *option));
        if known.all(|known| known.name != option.name) {
            found.push((kind, option));
        }
    }
    found
}

fn argument(option: &OptionKind, kinds: &[GeneratorKind], heading: &'static str) -> Arg {
    // clap keeps names for the life of the process, which ends with this one command.
    let long: &'static str = option.name.replace('_', "-").leak();
    let name: &'static str = option.name.to_owned().leak();
    Arg::new(name)
        .long(long)
        .value_name("VALUE")
        .allow_negative_numbers(true)
        .help_heading(heading)
        .help(help(option, kinds))
}

fn heading(kind: &GeneratorKind) -> &'static str {
    format!("Data set {}", kind.name).leak()
}

/// What an option does, its default, and the variables that may hold it.
fn help(option: &OptionKind, kinds: &[GeneratorKind]) -> String {
    let mut text = option.about.trim_end_matches('.').to_owned();
    let all = kinds.iter().flat_map(|kind| kind.options.iter().map(move |own| (kind, own)));
    let same: Vec<_> = all.filter(|(_, own)| own.name == option.name).collect();
    let mut environment = option.environment.to_vec();
    if option.default.is_empty() || same.is_empty() {
        default(&mut text, "default", option.default);
    }
    for (kind, own) in same {
        let is_only = std::ptr::eq(own, option);
        default(&mut text, if is_only { "default" } else { kind.name }, own.default);
        environment.extend(own.environment);
    }
    environment.sort_unstable();
    environment.dedup();
    if !environment.is_empty() {
        let _ = write!(text, " [env: {}]", environment.join(", "));
    }
    text
}

fn default(text: &mut String, whose: &str, value: &str) {
    if !value.is_empty() {
        let _ = write!(text, " [{whose}: {value}]");
    }
}

/// Makes the options of a generator from what was given and from the environment; what was given
/// wins.
///
/// # Errors
///
/// An option that this data set does not have, a value that it refuses.
pub(super) fn read(
    kind: &GeneratorKind,
    topics: Vec<usize>,
    given: &[(&'static str, String)],
    start: Time,
) -> Result<GeneratorOptions> {
    let environment = |name: &str| std::env::var(name).ok();
    let table = table(kind, given, &environment);
    GeneratorOptions::read(kind, topics, &table, start).map_err(refused)
}

/// The error for a value that a data set refuses, which does not know where it comes from.
pub(super) fn refused(error: Error) -> Error {
    let error = match error.has_hint() {
        true => error,
        false => error.hint("`highwater generate --help` says what each option takes"),
    };
    error.of_kind(Kind::Usage)
}

fn table(
    kind: &GeneratorKind,
    given: &[(&'static str, String)],
    environment: &dyn Fn(&str) -> Option<String>,
) -> toml::Table {
    let mut table = toml::Table::new();
    for option in kind.options {
        if let Some(text) = option.environment.iter().find_map(|name| environment(name)) {
            table.insert(option.name.into(), typed(option, &text));
        }
    }
    for (name, text) in given {
        let own = kind.options.iter().find(|option| option.name == *name);
        let option = own.or_else(|| COMMON_OPTIONS.iter().find(|option| option.name == *name));
        let value = option.map_or(Value::String(text.clone()), |option| typed(option, text));
        table.insert((*name).into(), value);
    }
    table
}

/// The value that a text stands for, of the type that the option's default has; without one a
/// number is a number.
fn typed(option: &OptionKind, text: &str) -> Value {
    let text = text.trim();
    let number = |text: &str| {
        text.parse::<Value>().ok().filter(|value| value.is_integer() || value.is_float())
    };
    let is_flag = matches!(option.default, "true" | "false");
    match text.to_lowercase().as_str() {
        flag @ ("true" | "false") if is_flag => Value::Boolean(flag == "true"),
        _ if option.default.is_empty() || number(option.default).is_some() => {
            number(text).unwrap_or_else(|| Value::String(text.into()))
        }
        _ => Value::String(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn option(name: &'static str, default: &'static str) -> OptionKind {
        OptionKind { name, environment: &["TALK_ENV"], default, about: "For tests." }
    }

    const KINDS: &[GeneratorKind] = &[GeneratorKind {
        name: "talk",
        about: "For tests.",
        topics: &[],
        options: &[option("rate", "10.0"), option("loud", "true"), option("channel_names", "a")],
        make: |_| Err(Error::bug("not made in this test")),
    }];

    fn parse(args: &[&'static str]) -> Result<Vec<(&'static str, String)>, clap::Error> {
        let command = Command::new("highwater").subcommand(Command::new("generate"));
        let matches = with_options(command, KINDS)
            .try_get_matches_from(["highwater", "generate"].iter().chain(args))?;
        Ok(given(matches.subcommand_matches("generate").expect("the command"), KINDS))
    }

    #[test]
    fn every_option_is_an_argument_with_dashes() {
        let given = parse(&["--late-by", "3m", "--channel-names", "7"]).unwrap();
        assert_eq!(given, [("late_by", "3m".to_owned()), ("channel_names", "7".to_owned())]);
        let help = parse(&["--help"]).unwrap_err().to_string();
        for option in KINDS[0].options.iter().chain(COMMON_OPTIONS) {
            assert!(help.contains(&format!("--{} <", option.name.replace('_', "-"))), "{help}");
        }
        assert!(help.contains("[talk: 10.0]"), "{help}");
        assert!(parse(&["--chanel-names", "x"]).unwrap_err().to_string().contains("channel-names"));
    }

    #[test]
    fn a_value_has_the_type_of_the_default_and_wins_over_the_environment() {
        let given = [("loud", "FALSE".to_owned()), ("seed", "7".to_owned())];
        let env = |_: &str| Some("5".to_owned());
        let made = table(&KINDS[0], &given, &env);
        let expect = toml::toml! {
            rate = 5
            loud = false
            channel_names = "5"
            seed = 7
        };
        assert_eq!(made, expect);
    }
}

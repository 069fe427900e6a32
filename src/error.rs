//! One error type for everything a user can cause: what went wrong, where, and the way out.

use std::fmt;

/// What kind of failure it is; decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The command line: job, flag or value. Exit code 64.
    Usage,
    /// A file, `--set`, binding, window, unknown key, missing topic, taken address. Exit code 65.
    Config,
    /// A bug of ours. Exit code 70.
    Bug,
    /// Storage failed. Exit code 74.
    Storage,
    /// Something is unreachable or a peer was lost: start again later. Exit code 75.
    Unreachable,
    /// A later attempt to run the same job has taken over; waiting is no use. Exit code 75.
    Fenced,
}

impl Kind {
    /// The exit code of a process that ends with such an error.
    pub const fn exit_code(self) -> i32 {
        match self {
            Kind::Usage => 64,
            Kind::Config => 65,
            Kind::Bug => 70,
            Kind::Storage => 74,
            Kind::Unreachable | Kind::Fenced => 75,
        }
    }
}

/// An error with what the reader needs to act: a sentence, the places it passed, a hint.
///
/// ```
/// use highwater::error::{Error, Kind};
/// let error = Error::config("no source named `chatt`").hint("chat.toml binds `chat`, `viewers`");
/// assert_eq!(error.kind(), Kind::Config);
/// assert_eq!(
///     error.within("chat.toml").to_string(),
///     "chat.toml: no source named `chatt`\n  hint: chat.toml binds `chat`, `viewers`",
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    kind: Kind,
    message: String,
    places: Vec<String>,
    hint: Option<String>,
}

/// What fallible functions return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a kind; the message is lower case and has no full stop.
    pub fn new(kind: Kind, message: impl fmt::Display) -> Error {
        Error(Box::new(Inner { kind, message: message.to_string(), places: vec![], hint: None }))
    }

    /// An error of the command line (exit 64).
    pub fn usage(message: impl fmt::Display) -> Error {
        Error::new(Kind::Usage, message)
    }

    /// An error of the configuration (exit 65).
    pub fn config(message: impl fmt::Display) -> Error {
        Error::new(Kind::Config, message)
    }

    /// A bug (exit 70).
    pub fn bug(message: impl fmt::Display) -> Error {
        Error::new(Kind::Bug, message)
    }

    /// Storage failed (exit 74).
    pub fn storage(message: impl fmt::Display) -> Error {
        Error::new(Kind::Storage, message)
    }

    /// Something does not answer (exit 75).
    pub fn unreachable(message: impl fmt::Display) -> Error {
        Error::new(Kind::Unreachable, message)
    }

    /// Another attempt to run the job has taken over (exit 75).
    pub fn fenced(message: impl fmt::Display) -> Error {
        Error::new(Kind::Fenced, message)
            .hint("the job runs twice with one `checkpoint.path`: this one ends")
    }

    /// Adds the way out; a later hint replaces an earlier one.
    pub fn hint(mut self, hint: impl fmt::Display) -> Error {
        self.0.hint = Some(hint.to_string());
        self
    }

    /// Names the place around it, such as a file or a binding; the outermost is named last.
    pub fn within(mut self, place: impl fmt::Display) -> Error {
        self.0.places.push(place.to_string());
        self
    }

    /// The same error as another kind: what is wrong in a file may be wrong on a command line too.
    pub fn of_kind(mut self, kind: Kind) -> Error {
        self.0.kind = kind;
        self
    }

    /// What kind it is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// Whether it says a way out.
    pub fn has_hint(&self) -> bool {
        self.0.hint.is_some()
    }

    /// The sentence without places and hint.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in self.0.places.iter().rev() {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.0.message)?;
        match &self.0.hint {
            Some(hint) => write!(f, "\n  hint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The names nearest to a mistyped one, for hints: at most three, best first.
///
/// ```
/// use highwater::error::nearest;
/// assert_eq!(nearest("chatt", ["viewers", "chat", "moments"]), ["chat"]);
/// ```
pub fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let limit = (name.chars().count() / 3).max(2);
    let mut found: Vec<(usize, &str)> = names
        .into_iter()
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit || candidate.contains(name))
        .collect();
    found.sort();
    found.dedup();
    found.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// How many insertions, deletions and replacements lead from one text to the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replace = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replace.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

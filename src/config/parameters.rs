//! [`Parameters`]: the arguments of a dataflow, `[parameters]`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use toml::Value;

use super::did_you_mean;
use crate::error::{Error, Result};
use crate::time::parse_duration;

/// Arguments by name; a name with dots stands for tables: `zscore.baseline`.
///
/// ```
/// use highwater::config::Parameters;
/// use highwater::time::seconds;
/// let table = toml::toml! { threshold = 2.5 };
/// let mut parameters = Parameters::new(&table);
/// assert_eq!(parameters.f64("threshold", 3.0)?, 2.5);
/// assert_eq!(parameters.duration("window", seconds(60))?, seconds(60));
/// parameters.finish()?;
/// # Ok::<(), highwater::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Parameters {
    values: BTreeMap<String, Value>,
    places: BTreeMap<String, String>,
    asked: BTreeSet<String>,
    ignored: BTreeMap<String, &'static str>,
}

/// An argument of a replaced system that a dataflow takes and does not use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Its name; with `*` at the end, all names that begin so.
    pub name: &'static str,
    /// Why it has no effect, or what has it instead.
    pub why: &'static str,
}

impl Parameters {
    /// The arguments of a table.
    pub fn new(table: &toml::Table) -> Parameters {
        Parameters::with_places(table, BTreeMap::new())
    }

    /// The arguments of a table, and where each was written.
    pub(super) fn with_places(table: &toml::Table, places: BTreeMap<String, String>) -> Parameters {
        let mut values = BTreeMap::new();
        flatten("", table, &mut values);
        Parameters { values, places, asked: BTreeSet::new(), ignored: BTreeMap::new() }
    }

    /// A number.
    ///
    /// # Errors
    ///
    /// Another value stands there; so for the others.
    pub fn f64(&mut self, name: &str, default: f64) -> Result<f64> {
        let read = |value: &Value| match value {
            Value::Integer(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let finite = |value: &Value| read(value).filter(|number| number.is_finite());
        self.read(name, default, &format!("a number such as {default:?}"), finite)
    }

    /// A threshold: a number that is not negative, or `"off"`.
    ///
    /// ```
    /// use highwater::config::Parameters;
    /// let table = toml::toml! {
    ///     few = 2.5
    ///     many = "off"
    /// };
    /// let mut parameters = Parameters::new(&table);
    /// assert_eq!(parameters.threshold("few", Some(1.0))?, Some(2.5));
    /// assert_eq!(parameters.threshold("many", Some(100.0))?, None);
    /// assert_eq!(parameters.threshold("others", Some(10.0))?, Some(10.0));
    /// # Ok::<(), highwater::error::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn threshold(&mut self, name: &str, default: Option<f64>) -> Result<Option<f64>> {
        let read = |value: &Value| {
            let number = match value {
                Value::Integer(number) => *number as f64,
                Value::Float(number) => *number,
                Value::String(text) if text.trim() == "off" => return Some(None),
                Value::String(text) => text.trim().parse().ok()?,
                _ => return None,
            };
            (number.is_finite() && 0.0 <= number).then_some(Some(number))
        };
        let form = "a number that is not negative, or \"off\"";
        self.read(name, default, form, read).map_err(|error| {
            let usual = default.map_or("off".into(), |default| default.to_string());
            error.hint(format!("leave it out for {usual}; \"off\" is no threshold at all"))
        })
    }

    /// A whole number.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn integer(&mut self, name: &str, default: i64) -> Result<i64> {
        self.read(
            name,
            default,
            &format!("a whole number such as {default}"),
            |value| match value {
                Value::Integer(number) => Some(*number),
                Value::String(text) => text.trim().parse().ok(),
                _ => None,
            },
        )
    }

    /// `true` or `false`.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn bool(&mut self, name: &str, default: bool) -> Result<bool> {
        self.read(name, default, "true or false", |value| match value {
            Value::Boolean(flag) => Some(*flag),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// Text.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn text(&mut self, name: &str, default: &str) -> Result<String> {
        let form = format!("text such as {default:?}");
        self.read(name, default.to_owned(), &form, |value| value.as_str().map(str::to_owned))
    }

    /// A list of text.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn texts(&mut self, name: &str, default: &[&str]) -> Result<Vec<String>> {
        let form = format!("an array of text such as {default:?}");
        let default = default.iter().map(|text| (*text).to_owned()).collect();
        self.read(name, default, &form, |value| {
            value.as_array()?.iter().map(|text| text.as_str().map(str::to_owned)).collect()
        })
    }

    /// A duration, text with a unit.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn duration(&mut self, name: &str, default: Duration) -> Result<Duration> {
        let form = "a duration in quotes such as \"5m\" (us, ms, s, m, h, d)";
        self.read(name, default, form, |value| parse_duration(value.as_str()?).ok())
    }

    /// One of some words.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`].
    pub fn choice(
        &mut self,
        name: &str,
        choices: &[&'static str],
        default: &'static str,
    ) -> Result<&'static str> {
        let words: Vec<String> = choices.iter().map(|word| format!("{word:?}")).collect();
        self.read(name, default, &words.join(" or "), |value| {
            choices.iter().copied().find(|word| value.as_str() == Some(*word))
        })
    }

    /// Those of some names that are listed; by default all but the `further` ones.
    ///
    /// # Errors
    ///
    /// As [`Parameters::f64`]; or one that is none of them, with the nearest names; or none at all.
    pub fn some_of(
        &mut self,
        name: &str,
        all: &[&'static str],
        further: &[&'static str],
    ) -> Result<Vec<&'static str>> {
        let known: Vec<&str> = all.iter().chain(further).copied().collect();
        let mut chosen = Vec::with_capacity(all.len());
        for listed in self.texts(name, all)? {
            match known.iter().find(|known| **known == listed) {
                Some(known) => chosen.push(*known),
                None => {
                    let error = Error::config(format!("`{name}` lists `{listed}`, which is none"));
                    return Err(self.placed(name, error.hint(did_you_mean(&listed, &known))));
                }
            }
        }
        if chosen.is_empty() {
            let error = Error::config(format!("`{name}` lists nothing"));
            return Err(self.placed(name, error.hint("leave it out for all, or leave the job out")));
        }
        Ok(chosen)
    }

    /// Takes arguments that have no effect here: they are named, not refused.
    pub fn ignore(&mut self, ignored: &[Ignored]) {
        for name in self.values.keys() {
            if let Some(found) = ignored.iter().find(|ignored| ignored.covers(name)) {
                self.ignored.insert(name.clone(), found.why);
            }
        }
    }

    /// One sentence for each argument that is there and has no effect.
    pub fn notices(&self) -> Vec<String> {
        let notice = |(name, why)| format!("the parameter `{name}` has no effect: {why}");
        self.ignored.iter().map(notice).collect()
    }

    /// The names that were asked for so far.
    pub fn asked(&self) -> &BTreeSet<String> {
        &self.asked
    }

    /// Says that others ask for these: they are not refused.
    pub fn ask(&mut self, names: &BTreeSet<String>) {
        self.asked.extend(names.iter().cloned());
    }

    /// Refuses the arguments that nobody asked for.
    ///
    /// # Errors
    ///
    /// The first such argument, with the nearest names.
    pub fn finish(self) -> Result<()> {
        let is_known =
            |name: &&String| self.asked.contains(*name) || self.ignored.contains_key(*name);
        let unknown = self.values.keys().find(|name| !is_known(name));
        let Some(name) = unknown else { return Ok(()) };
        let asked: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        let hint = match asked.is_empty() {
            true => "this dataflow has no parameters".to_owned(),
            false => did_you_mean(name, &asked),
        };
        Err(self.placed(name, Error::config(format!("unknown parameter `{name}`")).hint(hint)))
    }

    fn read<T>(
        &mut self,
        name: &str,
        default: T,
        form: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Result<T> {
        self.asked.insert(name.to_owned());
        let Some(value) = self.values.get(name) else { return Ok(default) };
        read(value).ok_or_else(|| {
            let error = Error::config(format!("`{name}` must be {form}, not {value}"));
            self.placed(name, error)
        })
    }

    fn placed(&self, name: &str, error: Error) -> Error {
        let error = error.within("parameters");
        match self.places.get(name) {
            Some(place) => error.within(place),
            None => error,
        }
    }
}

impl Ignored {
    /// Whether it speaks of this argument.
    fn covers(&self, name: &str) -> bool {
        match self.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == self.name,
        }
    }
}

/// Values by path, without quotes: `"a.b" = 1` and `a.b = 1` are the same argument.
fn flatten(path: &str, table: &toml::Table, values: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let name = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match value {
            Value::Table(inner) => flatten(&name, inner, values),
            _ => {
                values.insert(name, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::seconds;

    fn parameters(text: &str) -> Parameters {
        Parameters::new(&text.parse().unwrap())
    }

    #[test]
    fn absent_parameters_have_their_default() -> Result<()> {
        let mut parameters = parameters("");
        assert_eq!(parameters.f64("a", 3.0)?, 3.0);
        assert_eq!(parameters.integer("b", -1)?, -1);
        assert!(parameters.bool("c", true)?);
        assert_eq!(parameters.text("d", "x")?, "x");
        assert_eq!(parameters.texts("e", &["x", "y"])?, ["x", "y"]);
        assert_eq!(parameters.duration("f", seconds(1))?, seconds(1));
        assert_eq!(parameters.choice("g", &["on", "off"], "on")?, "on");
        parameters.finish()
    }

    #[test]
    fn numbers_may_be_text_and_names_may_have_dots() -> Result<()> {
        let mut parameters = parameters(
            "threshold = '2.5'\nlimit = '7'\nis_loud = 'true'\nzscore.baseline = 'inclusive'\n\
             'a.b' = 1\nwindow = '10 seconds'\nwhole = 3",
        );
        assert_eq!(parameters.f64("threshold", 3.0)?, 2.5);
        assert_eq!(parameters.f64("whole", 1.0)?, 3.0);
        assert_eq!(parameters.integer("limit", 0)?, 7);
        assert!(parameters.bool("is_loud", false)?);
        let baselines = ["exclusive", "inclusive"];
        assert_eq!(parameters.choice("zscore.baseline", &baselines, "exclusive")?, "inclusive");
        assert_eq!(parameters.integer("a.b", 0)?, 1);
        assert_eq!(parameters.duration("window", seconds(1))?, seconds(10));
        parameters.finish()
    }

    #[test]
    fn what_has_no_effect_is_named_and_not_refused() -> Result<()> {
        let mut parameters = parameters("a.x = 1\na.y.z = 'text'\nb = 2\nc = 3");
        parameters.ignore(&[
            Ignored { name: "a.*", why: "there is no `a` here" },
            Ignored { name: "b", why: "write `c`" },
            Ignored { name: "d", why: "it is away" },
        ]);
        assert_eq!(parameters.integer("c", 0)?, 3);
        assert_eq!(
            parameters.notices(),
            [
                "the parameter `a.x` has no effect: there is no `a` here",
                "the parameter `a.y.z` has no effect: there is no `a` here",
                "the parameter `b` has no effect: write `c`",
            ],
        );
        parameters.finish()
    }

    #[test]
    fn some_of_the_known_names_are_chosen_and_others_refused() -> Result<()> {
        let all = ["logins", "logouts", "failures"];
        let mut chosen = parameters("some = ['failures', 'logins']\nwrong = ['logons']");
        assert_eq!(chosen.some_of("every", &all, &["nobody"])?, all);
        assert_eq!(chosen.some_of("some", &all[..2], &all[2..])?, ["failures", "logins"]);
        assert_eq!(
            chosen.some_of("wrong", &all, &[]).unwrap_err().to_string(),
            "parameters: `wrong` lists `logons`, which is none\n  \
             hint: did you mean `logins`, `logouts`?",
        );
        let nothing = parameters("some = []").some_of("some", &all, &[]).unwrap_err().to_string();
        assert!(nothing.starts_with("parameters: `some` lists nothing"), "{nothing}");
        Ok(())
    }

    #[test]
    fn wrong_values_and_unknown_names_are_refused() {
        let check = |error: Error, expect: &str| assert_eq!(error.to_string(), expect);
        check(
            parameters("threshold = 'high'").f64("threshold", 3.0).unwrap_err(),
            "parameters: `threshold` must be a number such as 3.0, not \"high\"",
        );
        check(
            parameters("window = 10").duration("window", seconds(1)).unwrap_err(),
            "parameters: `window` must be a duration in quotes such as \"5m\" \
             (us, ms, s, m, h, d), not 10",
        );
        check(
            parameters("last = 'newest'")
                .choice("last", &["event_time", "arrival"], "arrival")
                .unwrap_err(),
            "parameters: `last` must be \"event_time\" or \"arrival\", not \"newest\"",
        );
        let mut asked = parameters("treshold = 2");
        asked.f64("threshold", 3.0).unwrap();
        check(
            asked.finish().unwrap_err(),
            "parameters: unknown parameter `treshold`\n  hint: did you mean `threshold`?",
        );
        check(
            parameters("a = 1").finish().unwrap_err(),
            "parameters: unknown parameter `a`\n  hint: this dataflow has no parameters",
        );
    }
}

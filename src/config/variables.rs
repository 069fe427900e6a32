//! The environment inside text: `$NAME`, `${NAME}`, `${NAME:-default}`, and `$$` for a dollar.
//!
//! A default may refer to variables itself; braces in it are counted. As in a shell, `:-` also
//! stands in for a variable that is set to nothing. What a variable holds is not expanded again.

use std::collections::BTreeMap;

/// The variables that the layers refer to, as they were at the start.
#[derive(Clone, Debug, Default)]
pub(super) struct Variables(BTreeMap<String, Option<String>>);

/// Why a text cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// This variable is not set, and there is no default.
    Unset(String),
    /// It is not written as it should be; the sentence says what is wrong.
    Malformed(String),
}

enum Part<'a> {
    Text(&'a str),
    Variable { name: &'a str, default: Option<Vec<Part<'a>>> },
}

impl Variables {
    /// Looks up the variables that a text refers to, also in defaults.
    pub(super) fn look_up(&mut self, text: &str, env: &dyn Fn(&str) -> Option<String>) {
        if let Ok(parts) = parse(text) {
            self.look_up_parts(&parts, env);
        }
    }

    fn look_up_parts(&mut self, parts: &[Part<'_>], env: &dyn Fn(&str) -> Option<String>) {
        for part in parts {
            if let Part::Variable { name, default } = part {
                self.0.entry((*name).to_owned()).or_insert_with(|| env(name));
                self.look_up_parts(default.as_deref().unwrap_or_default(), env);
            }
        }
    }

    /// Whether some text refers to it.
    pub(super) fn contains(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Puts the variables into a text.
    pub(super) fn expand(&self, text: &str) -> Result<String, Failure> {
        let parts = parse(text).map_err(Failure::Malformed)?;
        let mut expanded = String::with_capacity(text.len());
        self.put(&parts, &mut expanded)?;
        Ok(expanded)
    }

    fn put(&self, parts: &[Part<'_>], expanded: &mut String) -> Result<(), Failure> {
        for part in parts {
            match part {
                Part::Text(text) => expanded.push_str(text),
                Part::Variable { name, default } => {
                    let value = self.0.get(*name).and_then(Option::as_deref);
                    match (value, default) {
                        (None | Some(""), Some(default)) => self.put(default, expanded)?,
                        (Some(value), _) => expanded.push_str(value),
                        (None, None) => return Err(Failure::Unset((*name).to_owned())),
                    }
                }
            }
        }
        Ok(())
    }
}

fn parse(mut text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = vec![];
    while let Some(dollar) = text.find('$') {
        parts.push(Part::Text(&text[..dollar]));
        let rest = &text[dollar + 1..];
        text = if let Some(rest) = rest.strip_prefix('$') {
            parts.push(Part::Text("$"));
            rest
        } else if let Some(rest) = rest.strip_prefix('{') {
            let end = closing(rest).ok_or("a `${` is not closed")?;
            parts.push(braced(&rest[..end])?);
            &rest[end + 1..]
        } else {
            let (name, rest) = rest.split_at(name_length(rest));
            if name.is_empty() {
                return Err("a `$` has no name behind it; write `$$` for a dollar".into());
            }
            parts.push(Part::Variable { name, default: None });
            rest
        };
    }
    parts.push(Part::Text(text));
    Ok(parts)
}

/// What stands between `${` and `}`.
fn braced(inner: &str) -> Result<Part<'_>, String> {
    let (name, rest) = inner.split_at(name_length(inner));
    let default = match rest.strip_prefix(":-") {
        Some(default) => Some(parse(default)?),
        None if rest.is_empty() => None,
        None => {
            return Err(format!("`${{{inner}}}` is neither `${{NAME}}` nor `${{NAME:-default}}`"));
        }
    };
    match name {
        "" => Err(format!("`${{{inner}}}` has no name")),
        _ => Ok(Part::Variable { name, default }),
    }
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn name_length(text: &str) -> usize {
    let is_name = |(at, c): (usize, char)| {
        c == '_' || c.is_ascii_alphabetic() || (0 < at && c.is_ascii_digit())
    };
    text.char_indices().find(|&indexed| !is_name(indexed)).map_or(text.len(), |(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: Result<&str, Failure>) {
        let env = |name: &str| match name {
            "HOST" => Some("kafka".to_owned()),
            "EMPTY" => Some(String::new()),
            "PRICE" => Some("$HOST".to_owned()),
            _ => None,
        };
        let mut variables = Variables::default();
        variables.look_up(text, &env);
        assert_eq!(variables.expand(text), expect.map(str::to_owned), "{text}");
    }

    #[test]
    fn variables_are_put_into_text() {
        check("plain", Ok("plain"));
        check("$HOST:9092", Ok("kafka:9092"));
        check("${HOST}s", Ok("kafkas"));
        check("a $$ and $${HOST}", Ok("a $ and ${HOST}"));
        check("${HOST:-other}", Ok("kafka"));
        check("${NONE:-localhost:9092}", Ok("localhost:9092"));
        check("${EMPTY:-filled}", Ok("filled"));
        check("[$EMPTY]", Ok("[]"));
        check("${NONE:-}", Ok(""));
        check("${NONE:-/data/{view}}/x", Ok("/data/{view}/x"));
        check("${NONE:-${HOST}:1}", Ok("kafka:1"));
        check("$PRICE", Ok("$HOST"));
    }

    #[test]
    fn what_is_missing_or_malformed_is_said() {
        let malformed = |why: &str| Err(Failure::Malformed(why.to_owned()));
        check("x$NONE", Err(Failure::Unset("NONE".into())));
        check("${ALSO_9}", Err(Failure::Unset("ALSO_9".into())));
        check("costs 5$", malformed("a `$` has no name behind it; write `$$` for a dollar"));
        check("$5", malformed("a `$` has no name behind it; write `$$` for a dollar"));
        check("${HOST", malformed("a `${` is not closed"));
        check("${:-x}", malformed("`${:-x}` has no name"));
        check("${A-x}", malformed("`${A-x}` is neither `${NAME}` nor `${NAME:-default}`"));
    }
}

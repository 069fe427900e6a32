//! Points of a grid of parameters: the base, and away from it in one direction at a time.
//!
//! ```toml
//! query = "windows"
//! windows = { keys = 1_000 }                               # the base
//! vary = { keys = [10, 100_000], slide = ["10s", "5s"] }   # four points more
//! ```

use highwater::error::{Error, Result};
use toml::{Table, Value};

use crate::workloads::Workload;
use crate::workloads::windows::Shape;

/// The query at each point, the base first.
///
/// # Errors
///
/// There is no such parameter, or it does not take a value; the query has none; a point occurs
/// twice.
pub(super) fn points(query: Workload, base: &Table, vary: &Table) -> Result<Vec<Workload>> {
    let Workload::Windows(mut shape) = query else {
        let name = match (base.is_empty(), vary.is_empty()) {
            (true, true) => return Ok(vec![query]),
            (false, _) => "windows",
            (true, false) => "vary",
        };
        return Err(Error::config(format!("the query {query} has no parameters"))
            .hint(format!("leave out `{name}`, or write query = \"windows\""))
            .within(name));
    };
    for (name, value) in base {
        let place = || format!("windows.{name}");
        shape = with(shape, name, value).map_err(|error| error.within(place()))?;
    }
    let checked = |shape: Shape, place: &str| shape.checked().map_err(|error| error.within(place));
    let mut points = vec![Workload::Windows(checked(shape, "windows")?)];
    for (name, values) in vary {
        let place = format!("vary.{name}");
        let Value::Array(values) = values else {
            // What is wrong with the name is said first.
            with(shape, name, values).map_err(|error| error.within(&place))?;
            return Err(Error::config("it is no list")
                .hint(format!("write {name} = [{values}]"))
                .within(place));
        };
        for value in values {
            let point = with(shape, name, value).map_err(|error| error.within(&place))?;
            let point = Workload::Windows(checked(point, &place)?);
            if points.contains(&point) {
                return Err(Error::config(format!("{value} makes a point that is there already"))
                    .hint("leave it out: the base is always measured")
                    .within(place));
            }
            points.push(point);
        }
    }
    Ok(points)
}

fn with(shape: Shape, name: &str, value: &Value) -> Result<Shape> {
    match value {
        Value::String(text) => shape.with(name, text),
        other => shape.with(name, &other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(query: &str, text: &str) -> Result<Vec<String>> {
        let part: Table = text.parse().unwrap();
        let table =
            |name: &str| part.get(name).and_then(Value::as_table).cloned().unwrap_or_default();
        let query = Workload::named(query).unwrap();
        let points = super::points(query, &table("windows"), &table("vary"))?;
        Ok(points.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_parameter_is_changed_at_a_time() {
        let text = "windows = { keys = 1_000, late = 0.02 }\n\
                    vary = { keys = [10, 100_000], slide = ['10s'], late = [0] }";
        let mut found = points("windows", text).unwrap();
        assert_eq!(found.remove(0), "windows keys=1000 late=0.02");
        found.sort();
        assert_eq!(
            found,
            [
                "windows keys=10 late=0.02",
                "windows keys=1000 late=0",
                "windows keys=1000 slide=10s late=0.02",
                "windows late=0.02",
            ]
        );
        assert_eq!(points("windows", "").unwrap(), ["windows"]);
        assert_eq!(points("count", "").unwrap(), ["count"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_and_a_way_out() {
        let check = |query: &str, text: &str, place: &str, expect: &str| {
            let error = points(query, text).unwrap_err();
            let text = error.to_string();
            assert!(text.contains(place) && text.contains(expect), "{text}");
            assert!(error.has_hint(), "{text}");
        };
        let windows = |text: &str, place, expect| check("windows", text, place, expect);
        windows("windows = { kees = 1 }", "windows.kees", "no parameter `kees`");
        windows("windows = { late = 2 }", "windows.late", "`late` cannot be 2");
        windows("windows = { slide = '7s' }", "windows: ", "cannot begin every 7s");
        windows("vary = { kees = [1] }", "vary.kees", "no parameter `kees`");
        windows("vary = { kees = 1 }", "vary.kees", "no parameter `kees`");
        windows("vary = { keys = 1 }", "vary.keys", "it is no list");
        windows("vary = { slide = ['10s', '7s'] }", "vary.slide", "cannot begin every 7s");
        windows("vary = { keys = [10, 100_000] }", "vary.keys", "there already");
        check("count", "windows = { keys = 1 }", "windows: ", "count has no parameters");
        check("count", "vary = { keys = [1] }", "vary: ", "count has no parameters");
    }
}

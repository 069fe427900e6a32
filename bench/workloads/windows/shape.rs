//! The parameters of synthetic windows, as numbers and as text: `keys=100 late=0.05` says what
//! differs from the centre of all experiments.

use std::fmt;
use std::str::FromStr;

use highwater::error::{Error, Result, nearest};
use highwater::time::parse_duration;

/// A skew has so many parts, and a share of events so many.
const SKEW_PARTS: u32 = 100;
const LATE_PARTS: u32 = 10_000;

/// The most windows that an event may be in.
const OVERLAP_MAX: i64 = 120;

/// Parameters of synthetic windows. The default is the centre, from which experiments go away in
/// one direction at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Shape {
    /// How many groups there are.
    pub keys: u64,
    /// Length of the windows, in milliseconds.
    pub size_ms: i64,
    /// How far apart they begin, in milliseconds; the length is a multiple of it.
    pub slide_ms: i64,
    /// How far events are out of order, and so how long a watermark waits, in milliseconds.
    pub disorder_ms: i64,
    /// Bytes of an event.
    pub bytes: usize,
    skew: u32,
    late: u32,
}

impl Default for Shape {
    fn default() -> Shape {
        Shape {
            keys: 100_000,
            size_ms: 60_000,
            slide_ms: 60_000,
            disorder_ms: 5_000,
            bytes: 160,
            skew: 0,
            late: LATE_PARTS / 100,
        }
    }
}

/// A parameter: its name, what it may be, and how it is read and written.
struct Parameter {
    name: &'static str,
    form: &'static str,
    get: fn(&Shape) -> String,
    set: fn(&mut Shape, &str) -> Option<()>,
}

/// All of them, in the order in which they are written.
const PARAMETERS: [Parameter; 7] = [
    Parameter {
        name: "keys",
        form: "a number from 1 to 10,000,000",
        get: |shape| shape.keys.to_string(),
        set: |shape, text| {
            shape.keys = number(text).filter(|keys| (1..=10_000_000).contains(keys))?;
            Some(())
        },
    },
    Parameter {
        name: "size",
        form: "a time such as 60s, up to an hour",
        get: |shape| time(shape.size_ms),
        set: |shape, text| {
            shape.size_ms = millis(text).filter(|size| (1..=3_600_000).contains(size))?;
            Some(())
        },
    },
    Parameter {
        name: "slide",
        form: "a time such as 10s, up to an hour",
        get: |shape| time(shape.slide_ms),
        set: |shape, text| {
            shape.slide_ms = millis(text).filter(|slide| (1..=3_600_000).contains(slide))?;
            Some(())
        },
    },
    Parameter {
        name: "skew",
        form: "the exponent of Zipf's law, from 0 to 3 with at most two digits behind the point",
        get: |shape| shape.skew().to_string(),
        set: |shape, text| {
            shape.skew = parts(text, SKEW_PARTS).filter(|skew| *skew <= 3 * SKEW_PARTS)?;
            Some(())
        },
    },
    Parameter {
        name: "disorder",
        form: "a time such as 5s, from 0s to an hour",
        get: |shape| time(shape.disorder_ms),
        set: |shape, text| {
            shape.disorder_ms = millis(text).filter(|disorder| *disorder <= 3_600_000)?;
            Some(())
        },
    },
    Parameter {
        name: "late",
        form: "a share of all events, from 0 to 1 with at most four digits behind the point",
        get: |shape| (f64::from(shape.late) / f64::from(LATE_PARTS)).to_string(),
        set: |shape, text| {
            shape.late = parts(text, LATE_PARTS).filter(|late| *late <= LATE_PARTS)?;
            Some(())
        },
    },
    Parameter {
        name: "bytes",
        form: "a number from 100 to 4,000",
        get: |shape| shape.bytes.to_string(),
        set: |shape, text| {
            shape.bytes = number(text).filter(|bytes| (100..=4_000).contains(bytes))? as usize;
            Some(())
        },
    },
];

impl Shape {
    /// The exponent of Zipf's law, by which keys come; 0 if all come alike.
    pub fn skew(&self) -> f64 {
        f64::from(self.skew) / f64::from(SKEW_PARTS)
    }

    /// How many events are late, in how many.
    pub fn late(&self) -> (u64, u64) {
        (self.late.into(), LATE_PARTS.into())
    }

    /// In how many windows an event is.
    pub fn overlap(&self) -> i64 {
        self.size_ms / self.slide_ms
    }

    /// The same with another value of a parameter.
    ///
    /// # Errors
    ///
    /// There is no such parameter, or it does not take this value.
    pub fn with(mut self, name: &str, value: &str) -> Result<Shape> {
        let Some(parameter) = PARAMETERS.iter().find(|parameter| parameter.name == name) else {
            let names = PARAMETERS.iter().map(|parameter| parameter.name);
            let near = nearest(name, names.clone());
            let hint = if near.is_empty() { names.collect() } else { near };
            return Err(Error::config(format!("windows have no parameter `{name}`"))
                .hint(format!("there is {}", hint.join(", "))));
        };
        (parameter.set)(&mut self, value).ok_or_else(|| {
            Error::config(format!("`{name}` cannot be {value}"))
                .hint(format!("write {}", parameter.form))
        })?;
        Ok(self)
    }

    /// The same, if its parameters fit together.
    ///
    /// # Errors
    ///
    /// The length is no multiple of the slide, or windows overlap too much.
    pub fn checked(self) -> Result<Shape> {
        let Shape { size_ms, slide_ms, .. } = self;
        let (size, slide) = (time(size_ms), time(slide_ms));
        if size_ms % slide_ms != 0 {
            let why = format!("windows of {size} cannot begin every {slide}");
            return Err(Error::config(why).hint("make `size` a multiple of `slide`"));
        }
        if OVERLAP_MAX < self.overlap() {
            let why = format!("an event would be in {} windows", self.overlap());
            return Err(Error::config(why)
                .hint(format!("make `slide` longer: at most {OVERLAP_MAX} may hold an event")));
        }
        Ok(self)
    }

    /// What of an input depends on it: all parameters, as text for the name of a topic, but for the
    /// slide.
    pub fn of_input(&self) -> String {
        let texts = PARAMETERS.iter().filter(|parameter| parameter.name != "slide");
        let texts: Vec<String> =
            texts.map(|parameter| format!("{}{}", parameter.name, (parameter.get)(self))).collect();
        texts.join("-")
    }

    /// All parameters: `keys=100000 size=60s …`.
    pub fn in_full(&self) -> String {
        self.texts(None)
    }

    /// What differs from another one.
    pub fn apart_from(&self, other: &Shape) -> String {
        self.texts(Some(other))
    }

    fn texts(&self, other: Option<&Shape>) -> String {
        let mut texts = Vec::new();
        for parameter in &PARAMETERS {
            let value = (parameter.get)(self);
            if other.is_none_or(|other| (parameter.get)(other) != value) {
                texts.push(format!("{}={value}", parameter.name));
            }
        }
        texts.join(" ")
    }
}

/// What differs from the centre.
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.apart_from(&Shape::default()))
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Shape> {
        let mut shape = Shape::default();
        for part in text.split_whitespace() {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            shape = shape.with(name, value)?;
        }
        shape.checked()
    }
}

fn number(text: &str) -> Option<u64> {
    text.replace('_', "").parse().ok()
}

fn millis(text: &str) -> Option<i64> {
    let duration = parse_duration(text).ok()?;
    let millis = i64::try_from(duration.as_millis()).ok()?;
    (duration.subsec_micros() % 1_000 == 0).then_some(millis)
}

/// A number in so many parts of one, if it has no smaller ones.
fn parts(text: &str, parts: u32) -> Option<u32> {
    let scaled = text.parse::<f64>().ok()? * f64::from(parts);
    let whole = scaled.round();
    let is_one = (0.0..1e6).contains(&whole) && (scaled - whole).abs() < 1e-6;
    is_one.then_some(whole as u32)
}

fn time(millis: i64) -> String {
    match millis % 1_000 {
        0 => format!("{}s", millis / 1_000),
        _ => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_written_as_what_differs_from_the_centre_and_read_back() {
        for (text, expect) in [
            ("", ""),
            ("late=0.01 keys=100_000", ""),
            ("late=0.2 keys=100", "keys=100 late=0.2"),
            ("skew=1.50 disorder=1500ms", "skew=1.5 disorder=1500ms"),
            ("size=300s slide=60s bytes=1000", "size=300s bytes=1000"),
            ("slide=10s", "slide=10s"),
        ] {
            let shape: Shape = text.parse().unwrap();
            assert_eq!(shape.to_string(), expect);
            assert_eq!(shape.to_string().parse::<Shape>().unwrap(), shape, "{text}");
            assert_eq!(shape.in_full().parse::<Shape>().unwrap(), shape, "{text}");
        }
        let [one, other] = ["keys=1 late=0.2", "keys=1"].map(|text| text.parse::<Shape>().unwrap());
        assert_eq!((one.apart_from(&other), one.apart_from(&one)), ("late=0.2".into(), "".into()));
        assert_eq!(
            Shape::default().in_full(),
            "keys=100000 size=60s slide=60s skew=0 disorder=5s late=0.01 bytes=160"
        );
    }

    #[test]
    fn inputs_are_the_same_for_every_slide_and_for_nothing_else() {
        let of = |text: &str| text.parse::<Shape>().unwrap().of_input();
        assert_eq!(of("slide=10s"), of(""));
        for other in ["keys=1", "size=120s", "skew=1", "disorder=0s", "late=0", "bytes=200"] {
            assert_ne!(of(other), of(""), "{other}");
        }
        let is_of_topics = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        assert!(of("skew=1.5 late=0.2").chars().all(is_of_topics), "{}", of("skew=1.5 late=0.2"));
    }

    #[test]
    fn what_cannot_be_is_refused_with_a_way_out() {
        let check = |text: &str, expect: &str, hint: &str| {
            let error = text.parse::<Shape>().unwrap_err();
            assert!(error.to_string().contains(expect), "{text}: {error}");
            assert!(error.to_string().contains(hint), "{text}: {error}");
        };
        check("kees=3", "no parameter `kees`", "there is keys");
        check("speed=3", "no parameter `speed`", "there is keys, size, slide, skew");
        check("keys=0", "`keys` cannot be 0", "from 1 to");
        check("keys=many", "`keys` cannot be many", "from 1 to");
        check("late=1.5", "`late` cannot be 1.5", "a share of all events");
        check("late=0.00001", "`late` cannot be", "at most four digits");
        check("skew=-1", "`skew` cannot be -1", "Zipf");
        check("size=60", "`size` cannot be 60", "a time such as 60s");
        check("slide=7s", "windows of 60s cannot begin every 7s", "a multiple of `slide`");
        check("slide=120s", "windows of 60s cannot begin every 120s", "a multiple of `slide`");
        check("slide=100ms", "in 600 windows", "at most 120");
        check("disorder=0.5ms", "`disorder` cannot be", "a time such as 5s");
        check("bytes=10", "`bytes` cannot be 10", "from 100");
    }
}

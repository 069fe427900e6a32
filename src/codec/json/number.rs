//! Floats as Java writes them, which is how they stand in text columns.

use compact_str::format_compact;

use crate::text::Text;

/// The text of a float: the shortest digits that read back as the same float, at least one after
/// the point, and an exponent from 10^7 on and below 10^-3.
pub(super) fn java_double(number: f64) -> Text {
    let size = number.abs();
    if size == 0.0 || (1e-3..1e7).contains(&size) {
        return format_compact!("{number:?}");
    }
    let scientific = format_compact!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format_compact!("{digits}E{exponent}"),
        Some((digits, exponent)) => format_compact!("{digits}.0E{exponent}"),
        None if number.is_nan() => Text::const_new("NaN"),
        None => Text::const_new(if number > 0.0 { "Infinity" } else { "-Infinity" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_java() {
        for (number, expect) in [
            (2.0, "2.0"),
            (100.0, "100.0"),
            (-0.0, "-0.0"),
            (1.0 / 60.0, "0.016666666666666666"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-1.25e-5, "-1.25E-5"),
            (9_999_999.5, "9999999.5"),
            (1e7, "1.0E7"),
            (1.234_567_89e8, "1.23456789E8"),
            (1e300, "1.0E300"),
            (f64::NAN, "NaN"),
            (f64::NEG_INFINITY, "-Infinity"),
        ] {
            assert_eq!(java_double(number), expect);
        }
    }
}

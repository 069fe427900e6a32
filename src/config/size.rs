//! Sizes: text with a unit.

/// Reads a size in bytes as configuration writes it: `512B`, `64KiB`, `1MiB`, `2GiB`, `1TiB`, and
/// `kB`, `MB`, `GB` by thousands.
///
/// # Errors
///
/// A sentence that names the text and the units.
///
/// ```
/// use highwater::config::parse_size;
/// assert_eq!(parse_size("64MiB"), Ok(64 << 20));
/// assert_eq!(parse_size("2 kB"), Ok(2_000));
/// assert!(parse_size("64").unwrap_err().contains("unit"));
/// ```
pub fn parse_size(text: &str) -> Result<usize, String> {
    let trimmed = text.trim();
    let digits = trimmed.len() - trimmed.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let (number, unit) = (&trimmed[..digits], trimmed[digits..].trim());
    let wrong = |why: &str| format!("`{text}` is no size: {why}; write one like \"64MiB\"");
    let number: usize = number.parse().map_err(|_| wrong("it does not begin with a number"))?;
    let bytes: usize = match unit {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "" => return Err(wrong("it has no unit (B, KiB, MiB, GiB, TiB, kB, MB, GB)")),
        _ => return Err(wrong("its unit is none of B, KiB, MiB, GiB, TiB, kB, MB, GB")),
    };
    number.checked_mul(bytes).ok_or_else(|| wrong("it is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit() {
        let check = |text: &str, expect: Result<usize, &str>| {
            assert_eq!(parse_size(text), expect.map_err(str::to_owned), "{text}");
        };
        let units =
            "its unit is none of B, KiB, MiB, GiB, TiB, kB, MB, GB; write one like \"64MiB\"";
        check("512B", Ok(512));
        check("1 KiB", Ok(1_024));
        check("3GB", Ok(3_000_000_000));
        check("2TiB", Ok(2 << 40));
        check("5Mib", Err(&format!("`5Mib` is no size: {units}")));
        check(
            "MiB",
            Err("`MiB` is no size: it does not begin with a number; write one like \"64MiB\""),
        );
        check(
            "99999999TiB",
            Err("`99999999TiB` is no size: it is too large; write one like \"64MiB\""),
        );
    }
}

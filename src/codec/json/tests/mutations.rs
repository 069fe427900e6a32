//! Documents with random damage: nothing panics, and all that is JSON is accepted.

use super::*;

const MUTATIONS: usize = 20_000;

const SEEDS: [&str; 5] = [
    r#"{"text":"a \"b\" \u00e9 \ud83d\ude00","i32":5,"i64":9999999999,"f64":-1.5e3,"bool":true}"#,
    r#"{"list":["x",null,1],"time":"2025-10-02T00:45:23.5+07:00","numbers":[1],"other":{"a":[]}}"#,
    r#"[{"i32":1},{"levels":[{"price":0.5},{"price":"NaN"}],"text":{"k":[1e3,-0.0,null]}}]"#,
    r#"{"text":"\ud800","f64":NaN,"i64":18446744073709551616,"i32":-0,"x":1e400,'y':'z'}"#,
    "\u{feff}{\"time\":1759365923000,\"millis\":\"12.7\",\"text\":[[[{}]]],\"é\":\"日本\"} \n",
];

/// Bytes that matter to the grammar, and some that are wrong everywhere.
const BYTES: &[u8] = b"{}[]\",:\\'u0d8-+.eE19tfnN \n\0\xff\xc3";

/// A step of splitmix64.
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 33) as usize
}

fn mutate(bytes: &mut Vec<u8>, random: &mut u64) {
    for _ in 0..=next(random) % 4 {
        let at = next(random) % bytes.len().max(1);
        let byte = BYTES[next(random) % BYTES.len()];
        match next(random) % 6 {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let piece = bytes[at..(at + next(random) % 20).min(bytes.len())].to_vec();
                let to = next(random) % (bytes.len() + 1);
                bytes.splice(to..to, piece);
            }
            _ => bytes.insert(at, byte),
        }
    }
}

#[test]
fn damaged_documents_never_panic_and_sound_ones_are_accepted() {
    let options = [plain(), null_row(), strict(), Options { keep_nan: true, ..plain() }];
    let (mut random, mut accepted, mut refused) = (7, 0, 0);
    for round in 0..MUTATIONS {
        let mut bytes = SEEDS[round % SEEDS.len()].as_bytes().to_vec();
        mutate(&mut bytes, &mut random);
        let (result, out, _) = outcome::<All>(Some(&bytes), &options[round / 5 % 4]);
        let parsed = serde_json::from_slice::<Value>(&bytes);
        let is_sound = match &parsed {
            Ok(Value::Object(_)) => true,
            Ok(Value::Array(elements)) => !elements.is_empty(),
            _ => false,
        };
        let text = String::from_utf8_lossy(&bytes);
        match result {
            Ok(count) => {
                accepted += 1;
                assert_eq!(count, out.events.len(), "{text}");
            }
            Err(reject) => {
                refused += 1;
                let is_expected = !is_sound || reject.reason == Reason::WrongType;
                assert!(is_expected, "{text} is refused: {reject:?}");
            }
        }
    }
    // Neither outcome may be so rare that the test shows nothing.
    assert!(accepted > MUTATIONS / 10 && refused > MUTATIONS / 10, "{accepted}, {refused}");
}

#[test]
fn each_prefix_of_a_document_is_refused() {
    for seed in &SEEDS[..3] {
        for end in 0..seed.len() {
            let result = outcome::<All>(Some(&seed.as_bytes()[..end]), &plain()).0;
            assert!(result.is_err(), "{}", &seed.as_bytes()[..end].escape_ascii());
        }
    }
}

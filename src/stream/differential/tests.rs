//! What is saved of windows that a collection keeps, and what a restore tells the collection.

use super::*;
use crate::aggregate::Count;
use crate::text::Text;

fn window(start: i64) -> Window {
    Window { start: Time::from_seconds(start), end: Time::from_seconds(start + 10) }
}

fn windows() -> MergedWindows<Text, Count> {
    MergedWindows::new(PaneNode::new(), false)
}

/// The collection says that a window now holds so many events of a key, and no longer so many.
fn say(state: &mut MergedWindows<Text, Count>, start: i64, key: &str, (was, now): (i64, i64)) {
    let merged = |change, count| {
        let key = Text::from(key);
        let value = (0..count).fold(Count::default(), |mut sum, _| {
            sum.merge(&Count::one());
            sum
        });
        let (hash, key, value) = (hash::of(&key), encode(&key), encode(&value));
        Merged { change, window: window(start), hash, key, value }
    };
    let mut updates = vec![merged(1, now)];
    if 0 < was {
        updates.insert(0, merged(-1, was));
    }
    state.apply(Parcel::new(0, updates));
}

fn save(state: &mut MergedWindows<Text, Count>, whole: bool) -> Saved {
    state.begin_save(whole);
    let saved = state.save(&mut 0).unwrap();
    assert_eq!(saved.whole, whole);
    saved
}

/// Start, key and count of what a restore tells the collection.
fn told(saves: &[&Saved]) -> Vec<(i64, String, i64)> {
    let mut state = windows();
    let last = saves.last().unwrap();
    (0..256).for_each(|group| state.restore_head(group, &last.head));
    saves.iter().flat_map(|saved| &saved.groups).for_each(|(_, bytes)| state.restore(bytes));
    state.restored();
    let told = |((root, hash, window, key), value): Loose| {
        let (key, count): (Text, Count) = (decode(&key), decode(&value));
        assert_eq!((root, hash), (7, hash::of(&key)));
        (window.start.micros() / 1_000_000, key.to_string(), count.get())
    };
    let told = state.restored_parts(7).into_iter().map(told).collect();
    assert!(state.restored_parts(7).is_empty(), "it is told once");
    told
}

#[test]
fn what_has_changed_is_saved_and_what_has_closed_is_not_restored() {
    let mut state = windows();
    for (start, key, count) in [(0, "a", 1), (0, "b", 2), (10, "a", 3)] {
        say(&mut state, start, key, (0, count));
    }
    let first = save(&mut state, true);
    let entry = |start, key: &str, count| (start, key.to_owned(), count);
    assert_eq!(told(&[&first]), [entry(0, "a", 1), entry(0, "b", 2), entry(10, "a", 3)]);
    for group in &first.groups {
        let all: Vec<Entry> = entries(&group.1).collect();
        assert!(all.iter().all(|(_, hash, ..)| u32::from(hash::group(*hash)) == group.0));
    }

    say(&mut state, 10, "a", (3, 4));
    say(&mut state, 10, "b", (0, 1));
    say(&mut state, 0, "b", (2, 5));
    let second = save(&mut state, false);
    let now = [entry(0, "a", 1), entry(0, "b", 5), entry(10, "a", 4), entry(10, "b", 1)];
    assert_eq!(told(&[&first, &second]), now);
    assert_eq!(told(&[&second]).len(), 3, "what has not changed is not saved again");

    state.advance(Millis(10_000));
    let third = save(&mut state, false);
    assert!(third.groups.is_empty());
    let open = [entry(10, "a", 4), entry(10, "b", 1)];
    assert_eq!(told(&[&first, &second, &third]), open);
    assert_eq!(told(&[&save(&mut state, true)]), open);
}

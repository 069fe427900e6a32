//! What stands on the screen, line by line: tables, row limits, JSON and CSV.

use super::*;
use crate::row::{Column, Origin, Schema, Type};
use crate::time::Time;
use crate::window::Window;

/// Output that a test can read, and whose reader can go away.
#[derive(Clone, Default)]
struct Paper(Arc<Mutex<(Vec<u8>, bool)>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut paper = self.0.lock().unwrap();
        if paper.1 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        paper.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Paper {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut self.0.lock().unwrap().0)).unwrap()
    }

    fn screen(&self) -> Screen {
        Screen::new(Box::new(self.clone()))
    }
}

fn view(name: &str) -> View {
    let column = |name: &str, kind| Column { name: name.into(), kind, nullable: true };
    let columns = vec![
        column("stream_id", Type::Text),
        column("window_start", Type::Time),
        column("window_end", Type::Time),
        column("unique_chatters", Type::I32),
        column("avg_sentiment", Type::F64),
        column("top_emotes", Type::TextList),
    ];
    View { name: name.into(), schema: Arc::new(Schema { columns }), key: vec![], stamp: None }
}

/// 2026-03-01T12:00:10Z.
const NOON: i64 = 1_772_366_410;

type Given = (Mark, [Cell; 6]);

fn row(change: Change, stream: &str, start: i64, n: i32, average: Option<f64>) -> Given {
    let (start, end) = (Time::from_seconds(start), Time::from_seconds(start + 60));
    let mark = Mark { change, origin: Origin::Window(Window::new(start, end)) };
    let cells = [
        Cell::Text(stream.into()),
        Cell::Time(start),
        Cell::Time(end),
        Cell::I32(n),
        average.map_or(Cell::Null, Cell::F64),
        Cell::TextList(vec![Some("Kappa".into()), Some("LUL".into())]),
    ];
    (mark, cells)
}

fn writer(options: &str, view: View, screen: Screen) -> Box<dyn Writer> {
    let options = toml::from_str(options).unwrap();
    let common = Common::default();
    Console { options, view, common, screen }.open(Shard { index: 0, count: 1 }).unwrap()
}

fn epoch(writer: &mut Box<dyn Writer>, rows: impl IntoIterator<Item = Given>) {
    let mut batch = Rows::default();
    rows.into_iter().for_each(|(mark, cells)| batch.push(mark, cells));
    writer.write(&batch).unwrap();
    writer.epoch(0).unwrap();
}

#[test]
fn a_table_has_a_title_names_and_aligned_columns() {
    let paper = Paper::default();
    let mut writer = writer("", view("chat_summary_minute"), paper.screen());
    epoch(
        &mut writer,
        [
            row(Change::Final, "second", NOON, 7, None),
            row(Change::Final, "first", NOON, 1_234, Some(1.0 / 60.0)),
        ],
    );
    let expect = [
        "── chat_summary_minute ── 2026-03-01 ──",
        "                                 unique_       avg_",
        "  stream_id  window             chatters  sentiment  top_emotes",
        "  first      12:00:10–12:01:10      1234     0.0167  [Kappa, LUL]",
        "  second     12:00:10–12:01:10         7          -  [Kappa, LUL]",
        "",
    ];
    assert_eq!(paper.take(), expect.join("\n"));

    // The next epoch of the same day needs neither title nor names.
    epoch(&mut writer, [row(Change::Upsert, "first", NOON + 10, 9, Some(-0.5))]);
    let expect = "~ first      12:00:20–12:01:20         9       -0.5  [Kappa, LUL]\n";
    assert_eq!(paper.take(), expect);

    epoch(&mut writer, [row(Change::Delete, "first", NOON + 43_160, 0, None)]);
    assert!(paper.take().contains("\n- first      23:59:30–2026-03-02 00:00:30  "));

    epoch(&mut writer, [row(Change::Final, "first", NOON + 86_400, 0, None)]);
    assert!(paper.take().starts_with("── chat_summary_minute ── 2026-03-02 ──\n"));
}

#[test]
fn only_the_first_rows_of_an_epoch_are_shown_and_the_others_counted() {
    let paper = Paper::default();
    let rows = |count: i32| (0..count).rev().map(|n| row(Change::Final, "s", NOON, n, None));
    let mut three = writer("rows = 3", view("v"), paper.screen());
    epoch(&mut three, rows(5_000));
    let text = paper.take();
    assert!(text.ends_with("2          -  [Kappa, LUL]\n  … 4997 more rows\n"), "{text}");
    assert_eq!(text.matches("Kappa").count(), 3);
    epoch(&mut three, rows(4));
    assert!(paper.take().ends_with("  … 1 more row\n"));
    epoch(&mut three, rows(0));
    assert_eq!(paper.take(), "");

    let mut default = writer("", view("v"), paper.screen());
    epoch(&mut default, rows(11));
    assert_eq!(paper.take().matches("Kappa").count(), 10);
}

#[test]
fn names_come_again_after_other_views_and_after_twenty_rows() {
    let paper = Paper::default();
    let screen = paper.screen();
    let mut a = writer("", view("a"), screen.clone());
    let mut b = writer("", view("b"), screen);
    let one = || [row(Change::Final, "s", NOON, 1, None)];
    epoch(&mut a, one());
    epoch(&mut b, one());
    epoch(&mut a, one());
    let text = paper.take();
    let titles: Vec<&str> = text.lines().filter(|line| line.starts_with('─')).collect();
    assert_eq!(titles, ["a", "b", "a"].map(|view| format!("── {view} ── 2026-03-01 ──")));
    for _ in 0..20 {
        epoch(&mut a, one());
    }
    assert_eq!(paper.take().matches("top_emotes").count(), 1);
}

#[test]
fn json_and_csv_show_every_row_exactly() {
    let paper = Paper::default();
    let rows = || (0..30).map(|n| row(Change::Upsert, "a,b", NOON, n, Some(1.0 / 60.0)));
    epoch(&mut writer("format = \"json\"", view("v"), paper.screen()), rows());
    let text = paper.take();
    assert_eq!(text.lines().count(), 30);
    let expect = "{\"view\":\"v\",\"change\":\"upsert\",\"stream_id\":\"a,b\",\
        \"window_start\":\"2026-03-01T12:00:10.000000Z\",\
        \"window_end\":\"2026-03-01T12:01:10.000000Z\",\"unique_chatters\":0,\
        \"avg_sentiment\":0.016666666666666666,\"top_emotes\":[\"Kappa\",\"LUL\"]}\n";
    assert!(text.starts_with(expect), "{text}");

    let mut csv = writer("format = \"csv\"", view("v"), paper.screen());
    epoch(&mut csv, rows());
    epoch(&mut csv, rows().take(1));
    let text = paper.take();
    assert_eq!(text.lines().count(), 1 + 30 + 1);
    assert!(text.starts_with("view,change,stream_id,window_start,"), "{text}");
    assert!(text.contains("\nv,upsert,\"a,b\",2026-03-01T12:00:10.000000Z,"), "{text}");
}

#[test]
fn a_reader_that_goes_away_ends_the_output_quietly() {
    let paper = Paper::default();
    let mut writer = writer("", view("v"), paper.screen());
    epoch(&mut writer, [row(Change::Final, "s", NOON, 1, None)]);
    paper.0.lock().unwrap().1 = true;
    epoch(&mut writer, [row(Change::Final, "s", NOON, 1, None)]);
    assert!(is_closed());
    epoch(&mut writer, [row(Change::Final, "s", NOON, 1, None)]);
    writer.finish().unwrap();
    assert_eq!(paper.take().matches("Kappa").count(), 1);
}

#[test]
fn a_stamp_is_shown_as_the_last_column() {
    let paper = Paper::default();
    let view = View { stamp: Some("processed_at".into()), ..view("v") };
    epoch(&mut writer("", view, paper.screen()), [row(Change::Final, "s", NOON, 1, None)]);
    assert!(paper.take().lines().nth(2).unwrap().ends_with("top_emotes    processed_at"));
}

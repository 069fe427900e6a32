//! Epochs that are delivered as files: each once, by whoever delivers it, and whole.

use super::super::courier::ParquetCourier;
use super::*;
use crate::sink::Refusal;
use crate::sink::courier::{Delivered, Delivery};

fn route(generation: u64, restored: Option<u64>) -> Route {
    let (job, sink) = ("archive".into(), "numbers".into());
    Route { job, sink, shard: 0, generation, life: 100, restored }
}

/// A sink of a job that was started before.
fn sink(folder: &Temporary, more: &str, overwrite: bool) -> Box<dyn Sink> {
    let mut sink = bind(&folder.0, &numbers(), more, overwrite);
    sink.resume(Some(&[])).unwrap();
    sink.check().unwrap();
    sink
}

fn courier(folder: &Temporary, route: Route) -> Box<dyn Courier> {
    sink(folder, "", false).courier(route).unwrap().expect("it delivers")
}

fn deliver(courier: &mut dyn Courier, (first, last): (u64, u64), rows: &Rows) -> Vec<Refusal> {
    courier.deliver(&Delivery { first, last, rows, settled: None }).unwrap()
}

fn last(epoch: u64) -> Delivered {
    Delivered { last: Some(epoch), refused: vec![] }
}

#[test]
fn an_epoch_that_is_delivered_again_is_there_once() {
    let folder = Temporary::new("delivered-twice");
    let mut first = courier(&folder, route(200, None));
    assert_eq!(first.begin(), Ok(Delivered::default()));
    for _ in 0..2 {
        assert_eq!(deliver(&mut *first, (3, 5), &some(0..10)), []);
    }
    deliver(&mut *first, (6, 6), &some(10..20));
    assert_eq!(read_numbers(&folder), (0..20).collect::<Vec<_>>());
    let mut next = courier(&folder, route(201, Some(8)));
    assert_eq!(next.begin(), Ok(last(6)));
    deliver(&mut *next, (9, 9), &some(20..21));
    assert_eq!(read_numbers(&folder), (0..21).collect::<Vec<_>>());
}

#[test]
fn what_is_delivered_in_part_is_no_delivery() {
    let folder = Temporary::new("delivered-part");
    let mut large = sink(&folder, "roll_bytes = \"1KiB\"", false);
    let mut first = large.courier(route(200, None)).unwrap().expect("it delivers");
    first.begin().unwrap();
    deliver(&mut *first, (3, 3), &some(0..3));
    deliver(&mut *first, (4, 5), &some(3..1_000));
    let names: Vec<String> = folder.names();
    let files: Vec<&String> = names.iter().filter(|name| name.contains("-4-")).collect();
    assert!(2 <= files.len(), "{names:?}");
    std::fs::remove_file(folder.0.join(files[1])).unwrap();
    let mut next = courier(&folder, route(201, Some(5)));
    assert_eq!(next.begin(), Ok(last(3)));
    assert_eq!(read_numbers(&folder), [0, 1, 2]);
    deliver(&mut *next, (4, 5), &some(3..1_000));
    assert_eq!(read_numbers(&folder), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn an_older_attempt_delivers_nothing_any_more() {
    let folder = Temporary::new("delivered-zombie");
    let mut old = courier(&folder, route(200, None));
    old.begin().unwrap();
    let mut new = courier(&folder, route(201, None));
    new.begin().unwrap();
    let rows = some(0..5);
    let delivery = Delivery { first: 1, last: 2, rows: &rows, settled: None };
    let error = old.deliver(&delivery).unwrap_err();
    assert_eq!((error.kind(), error.kind().exit_code()), (Kind::Fenced, 75), "{error}");
    assert_eq!(old.begin().unwrap_err().kind(), Kind::Fenced);
    deliver(&mut *new, (1, 1), &some(0..3));
    assert_eq!(read_numbers(&folder), [0, 1, 2]);
}

#[test]
fn a_file_that_was_staged_before_is_not_published_after_the_fence() {
    let folder = Temporary::new("delivered-fence");
    let (mut old, mut new) = (Folder::new(&folder.0), Folder::new(&folder.0));
    old.make().unwrap();
    old.fence(200).unwrap();
    old.stage("staged", &Bytes::from("rows")).unwrap();
    new.fence(201).unwrap();
    assert_eq!(old.publish("staged", "part-1.parquet").unwrap_err().kind(), Kind::Fenced);
    assert_eq!(folder.names(), [".staging-201"]);
}

#[test]
fn a_job_that_goes_further_back_takes_its_files_back_and_those_of_others_stay() {
    let folder = Temporary::new("delivered-back");
    // The second is a shard that the next attempt does not have.
    let mut first = courier(&folder, route(200, None));
    let mut other = courier(&folder, Route { shard: 5, ..route(200, None) });
    first.begin().unwrap();
    other.begin().unwrap();
    deliver(&mut *first, (3, 3), &some(0..1));
    deliver(&mut *first, (4, 7), &some(1..2));
    deliver(&mut *other, (7, 7), &some(50..51));
    let mut anew = courier(&folder, Route { life: 150, ..route(200, None) });
    anew.begin().unwrap();
    deliver(&mut *anew, (9, 9), &some(90..91));
    let mut next = courier(&folder, route(201, Some(5)));
    assert_eq!(next.begin(), Ok(last(3)));
    assert_eq!(read_numbers(&folder), [0, 90]);
}

#[test]
fn a_folder_with_files_is_refused_at_the_first_start_and_emptied_if_that_is_allowed() {
    let folder = Temporary::new("delivered-first");
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.0.join("part-0000000001-0-00000-0.snappy.parquet"), "x").unwrap();
    let mut first = bind(&folder.0, &numbers(), "", false);
    first.resume(None).unwrap();
    assert!(first.check().unwrap_err().message().contains("holds files already"));
    assert_eq!(first.guarantee(), Guarantee::ExactlyOnce);
    let mut may = sink(&folder, "", true);
    may.courier(route(200, None)).unwrap().expect("it delivers").begin().unwrap();
    assert!(read_numbers(&folder).is_empty());
}

#[test]
fn rows_that_do_not_fit_are_refused_and_told_again() {
    let folder = Temporary::new("delivered-refused");
    let view = view(vec![column("rate", Type::Decimal)], None);
    let mut sink = bind(&folder.0, &view, "", false);
    sink.resume(None).unwrap();
    let mut courier = sink.courier(route(200, None)).unwrap().expect("it delivers");
    courier.begin().unwrap();
    let cells = [1, DECIMAL_MAX + 1, 2].map(|hundredths| vec![Cell::Decimal(hundredths)]);
    let rows = rows(cells.to_vec());
    let refused = deliver(&mut *courier, (1, 1), &rows);
    assert_eq!(refused.iter().map(|refusal| refusal.row).collect::<Vec<_>>(), [1]);
    assert_eq!(courier.refuses(&rows), refused);
    assert_eq!(read(&folder).len(), 2);
}

#[cfg(feature = "s3")]
#[test]
fn objects_are_delivered_once_as_well() {
    use object_store::memory::InMemory;

    use super::super::objects::Objects;
    use crate::objects::Client;

    let store = Arc::new(InMemory::new());
    let objects = || {
        let client = Client::new(store.clone(), "views".into(), "memory://views".into());
        Objects::new(client.unwrap())
    };
    let courier = |route| {
        let options: Options = toml::from_str("path = \"x\"").unwrap();
        let format = Format {
            schema: schema::schema(&numbers(), Timestamps::Micros).unwrap(),
            kinds: vec![Type::I64],
            stamped: false,
            timestamps: Timestamps::Micros,
            compression: Compression::Snappy,
        };
        ParquetCourier::new(Box::new(objects()), format, &options, false, route)
    };
    let mut first = courier(route(200, None));
    first.begin().unwrap();
    for _ in 0..2 {
        deliver(&mut first, (1, 4), &some(0..10));
    }
    let mut next = courier(route(201, Some(4)));
    assert_eq!(next.begin(), Ok(last(4)));
    assert_eq!(objects().list().unwrap(), ["part-0000000004-100-00000-0-1-1.snappy.parquet"]);
}

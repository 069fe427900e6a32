//! A store of objects in memory, which keeps the promises that the sink needs of one.

use object_store::memory::InMemory;
use object_store::path::Path as ObjectPath;

use super::super::objects::Objects;
use super::*;
use crate::objects::Client;

fn memory() -> Arc<InMemory> {
    Arc::new(InMemory::new())
}

fn objects(store: &Arc<InMemory>, prefix: &str) -> Objects {
    let prefix = ObjectPath::parse(prefix).unwrap();
    Objects::new(Client::new(store.clone(), prefix, "memory://views".into()).unwrap())
}

fn put(objects: &mut Objects, name: &str, text: &'static str) -> Published {
    objects.stage("staged", &Bytes::from(text)).unwrap();
    objects.publish("staged", name).unwrap()
}

#[test]
fn an_object_is_there_once_it_is_published_and_in_its_folder_alone() {
    let store = memory();
    let mut views = objects(&store, "views/topic=a b");
    assert_eq!(views.list(), Ok(vec![]));
    views.make().unwrap();
    views.stage("staged", &Bytes::from("one")).unwrap();
    assert_eq!(views.list(), Ok(vec![]));
    assert_eq!(views.publish("staged", "part-1.parquet"), Ok(Published::Done));
    assert_eq!(
        put(&mut objects(&store, "views/topic=a b/_spark_metadata"), "0", ""),
        Published::Done
    );
    put(&mut objects(&store, "views/topic=a bc"), "part-2.parquet", "two");
    assert_eq!(views.list().unwrap(), ["_spark_metadata", "part-1.parquet"]);
    assert_eq!(objects(&store, "").list().unwrap(), ["views"]);
    put(&mut objects(&store, ""), "part-3%20ä.parquet", "three");
    assert_eq!(objects(&store, "").list().unwrap(), ["part-3%20ä.parquet", "views"]);
    objects(&store, "").remove("part-3%20ä.parquet").unwrap();
    views.remove("part-1.parquet").unwrap();
    views.remove("part-1.parquet").unwrap();
    assert_eq!(objects(&store, "").list().unwrap(), ["views"]);
    assert_eq!(views.list().unwrap(), ["_spark_metadata"]);
}

#[test]
fn a_name_is_taken_once_and_an_upload_that_was_not_answered_is_known_again() {
    let store = memory();
    let (mut a, mut b) = (objects(&store, "views"), objects(&store, "views"));
    assert_eq!(put(&mut a, "part-1.parquet", "same"), Published::Done);
    // The same bytes by another writer are another file.
    assert_eq!(put(&mut b, "part-1.parquet", "same"), Published::Taken);
    assert_eq!(put(&mut a, "part-1.parquet", "same"), Published::Done);
    let error = a.publish("never staged", "part-2.parquet").unwrap_err();
    assert_eq!(error.kind(), Kind::Bug);
}

#[test]
fn of_several_staged_files_each_is_published_with_its_own_bytes() {
    let store = memory();
    let mut views = objects(&store, "views");
    let staged = [("a", "first"), ("b", "second"), ("c", "third")];
    for (name, text) in staged {
        views.stage(name, &Bytes::from(text)).unwrap();
    }
    assert_eq!(views.list(), Ok(vec![]));
    for (name, _) in staged {
        assert_eq!(views.publish(name, &format!("part-{name}")), Ok(Published::Done));
        assert!(views.publish(name, "again").is_err(), "{name} is staged no more");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for (name, text) in staged {
        let path = ObjectPath::parse(format!("views/part-{name}")).unwrap();
        let bytes = runtime.block_on(async {
            object_store::ObjectStoreExt::get(&*store, &path).await.unwrap().bytes().await.unwrap()
        });
        assert_eq!(bytes, text);
    }
}

#[test]
fn rows_go_to_objects_as_they_go_to_a_folder() {
    let folder = Temporary::new("objects");
    let more = "roll_bytes = \"1kB\"\nroll_every = \"1h\"\ncompression = \"none\"";
    let mut local = bind(&folder.0, &numbers(), more, false).open(ONLY).unwrap();
    let options: Options = toml::from_str(&format!("path = \"x\"\n{more}")).unwrap();
    let store = memory();
    let remote = Box::new(objects(&store, "views"));
    let mut remote = ParquetWriter::new(remote, format(), &options, ONLY);
    let writers: [&mut dyn Writer; 2] = [&mut *local, &mut remote];
    for writer in writers {
        for epoch in 0..3 {
            for part in 0..4 {
                let from = (epoch * 4 + part) * 150;
                writer.write(&some(from as i64..from as i64 + 150)).unwrap();
            }
            writer.epoch(epoch).unwrap();
        }
        writer.finish().unwrap();
    }
    let names = objects(&store, "views").list().unwrap();
    assert_eq!(names, folder.names());
    assert!(2 < names.len(), "several files of an epoch wait for its end: {names:?}");
}

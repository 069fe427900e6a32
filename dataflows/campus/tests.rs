//! The files of the campus; its rows are compared with Spark's in `tests/spark_golden.rs`.

use highwater::stream::{Flow, Settings};

use super::*;

#[test]
fn there_are_three_views_of_final_rows_and_seven_tables() {
    let flow = Flow::new(Settings::default());
    campus(&flow);
    let plan = flow.take();
    assert_eq!(plan.errors, []);
    let tables = plan.ports.iter().filter(|port| port.updates);
    assert!(tables.clone().all(|port| port.view.starts_with("realtime_")));
    assert_eq!((plan.ports.len(), tables.count(), plan.sources.len()), (10, 7, 6));
}

//! When records are due, how bursts lie, how many records are faulty and how.

use super::*;
use highwater::dataset::Faults;
use highwater::time::seconds;

const START: Time = Time::from_seconds(1_000);

fn options() -> GeneratorOptions {
    GeneratorOptions::new(vec![0], START)
}

fn plan(rate: f64, bursts: Bursts) -> Plan {
    Plan::new(&options(), rate, bursts).unwrap()
}

#[test]
fn without_bursts_records_are_due_at_an_even_rate() {
    let plan = plan(4.0, Bursts::default());
    let due: Vec<i64> = (0..4).map(|n| plan.due(n).micros() - START.micros()).collect();
    assert_eq!(due, [0, 250_000, 500_000, 750_000]);
    assert_eq!(plan.time(3, None), plan.due(3));
}

#[test]
fn speed_stretches_event_time_and_not_the_due_time() {
    let options = GeneratorOptions { speed: 10.0, ..options() };
    let plan = Plan::new(&options, 1.0, Bursts::default()).unwrap();
    assert_eq!(plan.due(6), START.plus(seconds(6)));
    assert_eq!(plan.time(6, None), START.plus(seconds(60)));
}

/// Records due in each second of the first so many.
fn per_second(plan: &Plan, seconds: usize) -> Vec<u32> {
    let mut counts = vec![0; seconds];
    let (mut number, mut last) = (0, START);
    loop {
        let due = plan.due(number);
        assert!(last <= due, "record {number} is due before the one before it");
        let second = (due.seconds() - START.seconds()) as usize;
        if seconds <= second {
            return counts;
        }
        counts[second] += 1;
        (number, last) = (number + 1, due);
    }
}

#[test]
fn a_single_burst_has_twenty_times_the_rate_for_thirty_seconds() {
    let bursts = Bursts { per_hour: 0.0, first: Some(seconds(120)) };
    let counts = per_second(&plan(10.0, bursts), 300);
    for (second, count) in counts.iter().enumerate() {
        let expect = if (120..150).contains(&second) { 200 } else { 10 };
        assert!(count.abs_diff(expect) <= 1, "{count} in second {second}");
    }
}

#[test]
fn every_period_has_one_burst_at_a_place_of_its_own() {
    let counts = per_second(&plan(10.0, Bursts { per_hour: 20.0, first: None }), 3_600);
    let begins: Vec<usize> = counts
        .chunks(180)
        .map(|period| {
            assert!(period.iter().sum::<u32>().abs_diff(1_800 + 5_700) <= 2);
            period.iter().position(|count| 100 < *count).expect("a burst")
        })
        .collect();
    assert_eq!(begins.len(), 20);
    assert!(begins.iter().any(|begin| *begin != begins[0]));
}

#[test]
fn bursts_that_do_not_fit_are_refused() {
    let refused = |bursts| Plan::new(&options(), 1.0, bursts).is_err();
    assert!(refused(Bursts { per_hour: 61.0, first: None }));
    assert!(refused(Bursts { per_hour: -1.0, first: None }));
    assert!(refused(Bursts { per_hour: 60.0, first: Some(seconds(31)) }));
    assert!(!refused(Bursts { per_hour: 60.0, first: Some(seconds(30)) }));
}

#[test]
fn faults_have_their_shares_and_shift_times_within_their_limits() {
    let faults = Faults {
        disorder: seconds(5),
        late_by: seconds(60),
        late: 0.1,
        duplicates: 0.05,
        future: 0.02,
        ..Faults::default()
    };
    let options = GeneratorOptions { faults, ..options() };
    let plan = Plan::new(&options, 100.0, Bursts::default()).unwrap();
    let mut counts = [0; 4];
    for number in 0..10_000 {
        let fault = plan.fault(number);
        let behind = plan.due(number).micros() - plan.time(number, fault).micros();
        let (index, limits) = match fault {
            None => (0, 0..=5_000_000),
            Some(Fault::Late) => (1, 60_000_000..=120_000_000),
            Some(Fault::Duplicate) => (2, 0..=5_000_000),
            Some(Fault::Future) => (3, -3_600_000_000..=-3_600_000_000),
            other => panic!("{other:?}"),
        };
        counts[index] += 1;
        assert!(limits.contains(&behind), "{fault:?} is {behind} us behind");
    }
    assert!((900..1_100).contains(&counts[1]), "{counts:?}");
    assert!((430..570).contains(&counts[2]), "{counts:?}");
    assert!((150..250).contains(&counts[3]), "{counts:?}");
}

#[test]
fn a_repeated_record_is_an_earlier_one_of_the_partition_without_a_fault() {
    let faults = Faults { duplicates: 0.9, ..Faults::default() };
    let options = GeneratorOptions { faults, ..options() };
    let plan = Plan::new(&options, 1.0, Bursts::default()).unwrap();
    let mut found = 0;
    for number in (0..5_000).filter(|n| plan.fault(*n) == Some(Fault::Duplicate)) {
        if let Some(earlier) = plan.repeated(number, 3) {
            assert!(earlier < number && earlier % 3 == number % 3);
            assert_eq!(plan.fault(earlier), None);
            found += 1;
        }
    }
    assert!(4_000 < found, "{found}");
}

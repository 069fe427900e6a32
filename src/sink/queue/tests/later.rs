//! A writer that answers later: what it is given meanwhile, and when something is told.

use super::*;

/// Takes rows at once, and answers what the test lets it answer.
#[derive(Clone, Default)]
struct Later {
    script: Script,
    answers: Arc<Mutex<Answers>>,
}

#[derive(Default)]
struct Answers {
    /// Values of the batches that are on their way.
    batches: VecDeque<Vec<i64>>,
    /// How many of the oldest may be answered.
    allowed: usize,
    errors: VecDeque<Error>,
}

impl Writer for Later {
    fn write(&mut self, rows: &Rows) -> Result<Vec<Refusal>> {
        assert!(self.script.write(rows)?.is_empty());
        self.answers.lock().unwrap().batches.push_back(rows.cells.iter().map(value).collect());
        Ok(vec![])
    }

    fn answers_later(&self) -> Option<Duration> {
        Some(millis(1))
    }

    fn answer(&mut self, until: Instant) -> Result<Option<Vec<Refusal>>> {
        loop {
            let mut answers = self.answers.lock().unwrap();
            if let Some(error) = answers.errors.pop_front() {
                return Err(error);
            }
            if 0 < answers.allowed && !answers.batches.is_empty() {
                answers.allowed -= 1;
                let values = answers.batches.pop_front().unwrap();
                let negative = values.iter().enumerate().filter(|(_, value)| **value < 0);
                let reject = Reject::new(Reason::RejectedBySink, "no");
                let refused = |(row, _)| Refusal { row, reject: reject.clone() };
                return Ok(Some(negative.map(refused).collect()));
            }
            drop(answers);
            if until <= Instant::now() {
                return Ok(None);
            }
            std::thread::sleep(millis(1));
        }
    }

    fn epoch(&mut self, epoch: u64) -> Result<()> {
        self.script.epoch(epoch)
    }

    fn finish(&mut self) -> Result<()> {
        let left = self.answers.lock().unwrap().batches.len();
        self.script.call(format!("finish with {left} on their way"))
    }
}

impl Later {
    fn allow(&self, batches: usize) {
        self.answers.lock().unwrap().allowed += batches;
    }

    fn fail(&self, error: Error) {
        self.answers.lock().unwrap().errors.push_back(error);
    }
}

fn start(options: QueueOptions) -> (Queue, Later) {
    let later = Later::default();
    (Queue::start(Box::new(later.clone()), options, || ()).unwrap(), later)
}

fn silent(queue: &Queue) {
    std::thread::sleep(millis(50));
    assert!(queue.answer().is_none());
}

#[test]
fn rows_follow_at_once_and_an_epoch_waits_for_the_answers_to_its_own() {
    let (queue, later) = start(options());
    queue.rows(rows([1]));
    later.script.wait(1);
    queue.rows(rows([2, -3]));
    queue.epoch(0);
    later.script.wait(3);
    queue.rows(rows([4]));
    later.script.wait(4);
    assert_eq!(later.script.calls(), ["write [1]", "write [2, -3]", "epoch 0", "write [4]"]);
    silent(&queue);
    assert_eq!(queue.len(), 4, "rows on their way count");
    later.allow(1);
    assert_eq!(answer(&queue), "written 1");
    silent(&queue);
    later.allow(1);
    assert!(answer(&queue).contains("offset: -3"));
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "confirmed 0"]);
    assert_eq!(queue.len(), 1);
    // Nothing is on its way behind this one, so nothing of it is waited for.
    later.allow(1);
    assert_eq!(answer(&queue), "written 1");
    queue.epoch(1);
    assert_eq!(answer(&queue), "confirmed 1");
}

#[test]
fn the_end_waits_for_all_answers() {
    let (queue, later) = start(options());
    queue.rows(rows([1]));
    later.script.wait(1);
    queue.rows(rows([2]));
    queue.epoch(7);
    queue.finish();
    later.script.wait(3);
    silent(&queue);
    later.allow(2);
    let expect = ["written 1", "written 1", "confirmed 7", "finished"];
    assert_eq!(expect.map(|_| answer(&queue)), expect);
    assert_eq!(later.script.calls().last().unwrap(), "finish with 0 on their way");

    // So does a queue that is dropped.
    let (queue, later) = start(options());
    queue.rows(rows([1]));
    later.script.wait(1);
    let other = later.clone();
    let opens = std::thread::spawn(move || {
        std::thread::sleep(millis(50));
        other.allow(1);
    });
    drop(queue);
    assert!(later.answers.lock().unwrap().batches.is_empty());
    opens.join().unwrap();
}

#[test]
fn a_service_that_does_not_answer_is_given_nothing_more_and_asked_again() {
    let (queue, later) = start(options());
    queue.rows(rows([1]));
    later.script.wait(1);
    (0..2).for_each(|_| later.fail(Error::unreachable("silent")));
    while !later.answers.lock().unwrap().errors.is_empty() {
        queue.rows(rows([]));
        std::thread::sleep(millis(1));
    }
    // Now it pauses before the next try.
    queue.rows(rows([2]));
    std::thread::sleep(millis(30));
    assert_eq!(later.script.calls(), ["write [1]"]);
    later.allow(2);
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "written 1"]);
    later.fail(Error::config("gone for good"));
    queue.rows(rows([3]));
    assert_eq!(answer(&queue), "failed: view `v`: gone for good");
}

#[test]
fn only_so_many_rows_are_on_their_way() {
    let (queue, later) = start(QueueOptions { rows_max: 1_000_000, ..options() });
    for _ in 0..40 {
        queue.rows(rows(0..1_000));
    }
    let on_their_way = || {
        let answers = later.answers.lock().unwrap();
        answers.batches.iter().map(Vec::len).sum::<usize>()
    };
    let deadline = Instant::now() + seconds(20);
    while on_their_way() <= ON_THE_WAY_MAX {
        assert!(Instant::now() < deadline);
        std::thread::sleep(millis(1));
    }
    std::thread::sleep(millis(50));
    assert!(on_their_way() <= ON_THE_WAY_MAX + BATCH_ROWS_MAX, "{}", on_their_way());
    later.allow(usize::MAX / 2);
    queue.finish();
    let mut written = 0;
    while let Some(rows) = answer(&queue).strip_prefix("written ") {
        written += rows.parse::<usize>().unwrap();
    }
    assert_eq!(written, 40_000);
}

#[test]
fn rows_that_are_gathered_are_answered_before_more_are() {
    let (queue, later) = start(QueueOptions { gather: Some(millis(20)), ..options() });
    queue.rows(rows([1]));
    later.script.wait(1);
    queue.rows(rows([2]));
    std::thread::sleep(millis(60));
    assert_eq!(later.script.calls(), ["write [1]"]);
    later.allow(2);
    assert_eq!([answer(&queue), answer(&queue)], ["written 1", "written 1"]);
}

//! How commands meet running jobs: a job makes itself known, `inspect` and `stop` find it.

use std::sync::Arc;

use super::log;
use crate::config::{Http, Listen};
use crate::control::{Guard, Outcome, Panel, Run, RunFile, Runs, Server, Token, ask, listen};
use crate::error::{Error, Result};
use crate::observe::status::{Role, Status};

/// A process that can be asked, as long as this value is there.
pub(super) struct Known {
    file: Option<RunFile>,
    panel: Arc<dyn Panel>,
    _server: Option<Server>,
}

/// Makes a process known, and listens.
///
/// A folder of run files that cannot be had is no reason not to run: then nobody finds the job.
///
/// # Errors
///
/// The address that `http.listen` gives is taken.
pub(super) fn make_known(http: &Http, mut run: Run, panel: Arc<dyn Panel>) -> Result<Known> {
    let token = Token::generate()?;
    let name = match &http.listen {
        Listen::At(address) => address.rsplit_once(':').map(|(name, _)| name.to_string()),
        Listen::Auto | Listen::Off => None,
    };
    // Without the feature only an address that was given is a mistake; that of a cluster is not.
    let is_given = run.role == Role::Run && matches!(http.listen, Listen::At(_));
    let is_off = cfg!(not(feature = "http")) && !is_given;
    let listener = if is_off { None } else { listen(&http.listen)? };
    let server = match listener {
        None => None,
        Some(listener) => {
            Some(Server::start(listener, Guard { name, token: token.clone() }, panel.clone())?)
        }
    };
    if let Some(server) = &server {
        run.address = Some(server.address().to_string());
        run.token = token.expose().into();
        if run.role == Role::Run {
            log::say(&format!(
                "{}: http://{} answers `highwater inspect`",
                run.system,
                server.address()
            ));
        }
    }
    let file = Runs::open().and_then(|runs| runs.register(&run));
    if let Err(error) = &file {
        tracing::warn!("`highwater inspect` and `stop` will not find this process: {error}");
    }
    Ok(Known { file: file.ok(), panel, _server: server })
}

impl Known {
    /// Leaves word of how the process ends, if somebody has asked it to.
    pub(super) fn leave(&self, code: u8, error: Option<&Error>) {
        if let Some(file) = self.file.as_ref().filter(|_| self.panel.was_asked()) {
            file.leave(&Outcome { code, error: error.map(Error::to_string) });
        }
    }
}

/// Which of the jobs that run here is meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// A system or a job.
    pub(super) name: Option<&'a str>,
    /// The pid of one of its processes.
    pub(super) pid: Option<u32>,
}

/// The processes of this machine that run the same jobs together: the supervisor first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Found(pub(super) Vec<Run>);

impl Found {
    /// The `highwater cluster` that looks after them, if there is one.
    pub(super) fn supervisor(&self) -> Option<&Run> {
        self.0.iter().find(|run| run.role == Role::Cluster)
    }

    /// Such as `chat (pid 17)`.
    pub(super) fn name(&self) -> String {
        let run = self.supervisor().or(self.0.first());
        run.map_or(String::new(), |run| format!("{} (pid {})", run.system, run.pid))
    }
}

/// Finds the one that is meant.
///
/// # Errors
///
/// Kind `Unreachable`: nothing of that name runs here. Kind `Usage`: several do.
pub(super) fn find(runs: &Runs, wanted: &Wanted<'_>) -> Result<Found> {
    let all = together(runs.list()?);
    let is_meant = |found: &&Found| {
        found.0.iter().any(|run| wanted.pid.is_none_or(|pid| run.pid == pid))
            && found.0.iter().any(|run| {
                wanted
                    .name
                    .is_none_or(|name| run.system == name || run.jobs.iter().any(|j| j == name))
            })
    };
    let mut meant: Vec<&Found> = all.iter().filter(is_meant).collect();
    let listed = |all: &[&Found]| all.iter().map(|one| one.name()).collect::<Vec<_>>().join(", ");
    match meant.len() {
        1 => Ok(meant.remove(0).clone()),
        0 => {
            let what = match (wanted.pid, wanted.name) {
                (Some(pid), _) => format!("no job with pid {pid} runs here"),
                (None, Some(name)) => format!("no job of `{name}` runs here"),
                (None, None) => "no job runs here".into(),
            };
            let hint = match all.as_slice() {
                [] => format!(
                    "looked in {}: a job of another user or machine is asked there",
                    runs.path().display()
                ),
                all => format!("there is {}", listed(&all.iter().collect::<Vec<_>>())),
            };
            Err(Error::unreachable(what).hint(hint))
        }
        many => Err(Error::usage(format!("{many} run here: {}", listed(&meant)))
            .hint("name the system, or one of them with --pid")),
    }
}

/// Puts processes together that run the same jobs: those of one supervisor, and those that were
/// started by hand with the same jobs and different indices.
fn together(runs: Vec<Run>) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    let boss = |run: &Run| match run.role {
        Role::Cluster => Some(run.pid),
        Role::Run => run.supervisor,
    };
    for run in runs {
        let belongs = |found: &&mut Found| {
            let first = &found.0[0];
            match (boss(first), boss(&run)) {
                (None, None) => {
                    1 < run.processes
                        && (&first.system, &first.jobs, first.processes)
                            == (&run.system, &run.jobs, run.processes)
                        && found.0.iter().all(|other| other.index != run.index)
                }
                (own, other) => own == other,
            }
        };
        match all.iter_mut().find(belongs) {
            Some(found) => found.0.push(run),
            None => all.push(Found(vec![run])),
        }
    }
    for found in &mut all {
        found.0.sort_by_key(|run| (run.role == Role::Run, run.index));
    }
    all
}

/// What processes say, and why others do not.
pub(super) fn statuses(found: &Found) -> (Vec<Status>, Vec<Error>) {
    let (mut statuses, mut silent) = (Vec::new(), Vec::new());
    for run in &found.0 {
        match ask(run) {
            Ok(status) => statuses.push(status),
            Err(error) => {
                tracing::debug!("{error}");
                silent.push(error);
            }
        }
    }
    (statuses, silent)
}

/// Those of the newest generation: of processes that were started by hand some may be of another.
pub(super) fn fitting(mut statuses: Vec<Status>) -> Vec<Status> {
    let generations = statuses.iter().filter(|status| status.process.role == Role::Run);
    let newest = generations.filter_map(|status| status.process.generation).max();
    statuses.retain(|status| {
        status.process.role == Role::Cluster
            || status.process.generation.is_none_or(|own| Some(own) == newest)
    });
    statuses
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;
    use crate::testing::Scratch;
    use crate::time::Time;

    fn run(pid: u32, system: &str, index: usize, processes: usize) -> Run {
        Run {
            pid,
            role: Role::Run,
            system: system.into(),
            jobs: vec![format!("{system}_job")],
            index,
            processes,
            supervisor: None,
            began: Time::from_seconds(pid.into()),
            address: None,
            token: String::new(),
        }
    }

    fn of_cluster(pid: u32, index: usize) -> Run {
        Run { supervisor: Some(5), ..run(pid, "chat", index, 2) }
    }

    fn pids(found: &Found) -> Vec<u32> {
        found.0.iter().map(|run| run.pid).collect()
    }

    #[test]
    fn processes_of_one_job_are_found_together() {
        let supervisor = Run { role: Role::Cluster, ..run(5, "chat", 0, 2) };
        let all = together(vec![
            run(1, "shop", 0, 1),
            run(2, "shop", 0, 1),
            of_cluster(7, 1),
            supervisor,
            of_cluster(6, 0),
            run(9, "campus", 1, 3),
            run(8, "campus", 0, 3),
            run(10, "campus", 0, 3),
        ]);
        let found: Vec<Vec<u32>> = all.iter().map(pids).collect();
        assert_eq!(found, [vec![1], vec![2], vec![5, 6, 7], vec![8, 9], vec![10]]);
    }

    #[test]
    fn the_one_that_is_meant_is_found_or_the_way_out_is_said() {
        let dir = Scratch::new("find");
        let runs = Runs::at(dir.path().join("runs")).expect("a folder");
        let find = |name, pid| find(&runs, &Wanted { name, pid });
        let error = find(None, None).expect_err("nothing runs");
        assert_eq!((error.kind(), error.message()), (Kind::Unreachable, "no job runs here"));
        let _files = [run(1, "shop", 0, 1), run(2, "shop", 0, 1), run(3, "chat", 0, 1)]
            .map(|run| runs.register(&run).expect("a file"));
        let found = |name, pid| find(name, pid).map(|found| pids(&found));
        assert_eq!(found(Some("chat"), None), Ok(vec![3]));
        assert_eq!(found(Some("chat_job"), None), Ok(vec![3]));
        assert_eq!(found(None, Some(2)), Ok(vec![2]));
        let error = find(Some("market"), None).expect_err("no market");
        assert_eq!(
            error.to_string(),
            "no job of `market` runs here\n  hint: there is shop (pid 1), shop (pid 2), \
             chat (pid 3)"
        );
        let error = find(Some("shop"), None).expect_err("two");
        assert_eq!(
            (error.kind(), error.message()),
            (Kind::Usage, "2 run here: shop (pid 1), shop (pid 2)")
        );
        assert_eq!(find(None, Some(4)).expect_err("no 4").kind(), Kind::Unreachable);
    }
}

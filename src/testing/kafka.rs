//! A real Kafka broker, without a container: one node, or one of three (`cluster.rs`).
//! `services.md` has the measurements.
//!
//! The jars come from Maven once and lie in the cache folder under the hash of their list, with a
//! class archive beside them that halves the cost of a start. All state lies in the server's own
//! folder; the ports are free ones and stay the same over restarts.

mod cluster;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::maven::Jars;
use super::process::{Process, find_program, free_port, run, tail};
use super::{Scratch, Skip, or_skip};
pub use cluster::KafkaCluster;

/// How long a start may take; a busy machine needs ten seconds, and a restart after SIGKILL waits
/// for the end of the broker's old session.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a clean stop may take before the broker is killed.
const STOP_MAX: Duration = Duration::from_secs(20);

const POM: &str = "\
<project><modelVersion>4.0.0</modelVersion>
  <groupId>highwater.services</groupId><artifactId>kafka</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
      <version>4.4.0</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId>
      <version>4.4.0</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId>
        <artifactId>connect-runtime</artifactId></exclusion></exclusions></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId>
      <artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version></dependency>
  </dependencies>
</project>
";

/// Logging of the broker and, on the other stream, of the tools.
const LOG4J: &str = r#"<Configuration status="warn">
  <Appenders><Console name="out" target="TARGET">
    <PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root>
    <Logger name="kafka.server.KafkaRaftServer" level="info"/></Loggers>
</Configuration>
"#;

/// The line that the broker prints when it takes requests.
const READY: &str = "Kafka Server started";

/// A broker that runs, or was stopped and can be started again.
pub struct KafkaServer {
    install: Install,
    dir: PathBuf,
    port: u16,
    secure_port: Option<u16>,
    process: Option<Process>,
}

/// Who may connect by TLS to a broker that has it.
pub const SECURE_USER: (&str, &str) = ("writer", "writer's secret");

impl KafkaServer {
    /// Starts a broker whose state lies in `dir`.
    ///
    /// # Errors
    ///
    /// Java or Maven is missing, the jars cannot be fetched, or the broker does not start.
    pub fn start(dir: &Path) -> Result<KafkaServer, Skip> {
        KafkaServer::start_on(dir, port()?)
    }

    /// Starts a broker on a port of 127.0.0.1.
    ///
    /// # Errors
    ///
    /// As [`KafkaServer::start`].
    pub fn start_on(dir: &Path, port: u16) -> Result<KafkaServer, Skip> {
        let install = Install::get()?;
        let server = install.server(dir, &Node::alone(port)?)?;
        server.launched()
    }

    /// Starts a broker that can also be reached by TLS and a password: at
    /// [`KafkaServer::secure_brokers`], by [`SECURE_USER`], with [`KafkaServer::certificate`].
    ///
    /// # Errors
    ///
    /// As [`KafkaServer::start`]; there is no `openssl`.
    pub fn start_secure(dir: &Path) -> Result<KafkaServer, Skip> {
        let install = Install::get()?;
        let (plain, secure) = (port()?, port()?);
        let mut server = install.server(dir, &Node::alone(plain)?)?;
        make_certificate(&server.dir)?;
        let settings = server.dir.join("server.properties");
        let text = fs::read_to_string(&settings)
            .map(|text| secured(&text, &server.dir, secure))
            .and_then(|text| fs::write(&settings, text));
        text.map_err(|error| Skip::new(format!("{}: {error}", settings.display())))?;
        server.secure_port = Some(secure);
        server.launched()
    }

    fn launched(mut self) -> Result<KafkaServer, Skip> {
        let archive = self.install.archive_option();
        self.launch(&[&archive])?;
        Ok(self)
    }

    /// Its address for TLS, if it has one.
    pub fn secure_brokers(&self) -> Option<String> {
        self.secure_port.map(|port| format!("127.0.0.1:{port}"))
    }

    /// The certificate (PEM) that vouches for it.
    pub fn certificate(&self) -> PathBuf {
        self.dir.join("certificate.pem")
    }

    /// The broker that the tests of this process share: each has topics and groups of its own.
    /// `None` if there is none, as [`or_skip`] says. It ends with the process.
    pub fn shared() -> Option<&'static KafkaServer> {
        static SHARED: OnceLock<Result<(KafkaServer, Scratch), Skip>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let dir = Scratch::new("kafka");
            Ok((KafkaServer::start(dir.path())?, dir))
        });
        or_skip(shared.as_ref().map(|(server, _)| server).map_err(Skip::clone))
    }

    /// The pid of the broker; 0 while there is none.
    pub fn id(&self) -> u32 {
        self.process.as_ref().map_or(0, Process::id)
    }

    /// Its address, `127.0.0.1:port`.
    pub fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it (SIGKILL), as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops it cleanly (SIGTERM).
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop(STOP_MAX);
        }
    }

    /// Freezes it (SIGSTOP): connections stay open, and nobody answers.
    pub fn freeze(&self) {
        if let Some(process) = &self.process {
            process.signal("STOP");
        }
    }

    /// Ends a freeze (SIGCONT).
    pub fn thaw(&self) {
        if let Some(process) = &self.process {
            process.signal("CONT");
        }
    }

    /// Starts it again on the same port and data, after stopping it if it runs.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&mut self) -> Result<(), Skip> {
        self.stop();
        let archive = self.install.archive_option();
        self.launch(&[&archive])
    }

    /// Lets it run on behind this process; `pid` in its folder ends it.
    pub fn detach(mut self) {
        if let Some(process) = &mut self.process {
            process.detach();
        }
    }

    /// What Kafka's own tool says of a group: a header, and a line a partition with positions and
    /// lag.
    ///
    /// # Errors
    ///
    /// The tool fails.
    pub fn describe_group(&self, group: &str) -> Result<String, Skip> {
        let class = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
        self.tool(class, &["--describe", "--group", group])
    }

    /// Runs one of Kafka's tools, by its class, against this broker; its standard output.
    ///
    /// # Errors
    ///
    /// The tool fails.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> Result<String, Skip> {
        let mut java = self.install.java("log4j2-tools.xml");
        java.args(["-Xmx256m", "-XX:TieredStopAtLevel=1", class]);
        java.args(["--bootstrap-server", &self.brokers()]).args(arguments);
        run(java)
    }

    /// Starts the process and waits for it.
    fn launch(&mut self, options: &[&str]) -> Result<(), Skip> {
        self.spawn(options)?;
        self.ready()
    }

    /// Starts the process.
    fn spawn(&mut self, options: &[&str]) -> Result<(), Skip> {
        let log = self.dir.join("server.log");
        // The log of an earlier start says that it was ready, too.
        let _ = fs::rename(&log, self.dir.join("server.log.before"));
        let mut java = self.install.java("log4j2.xml");
        java.args(options).args(["-XX:TieredStopAtLevel=1", "-Xms64m", "-Xmx512m"]);
        java.args(["-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError", "kafka.Kafka"]);
        java.arg(self.dir.join("server.properties")).current_dir(&self.dir);
        self.process = Some(Process::spawn(java, &self.dir).map_err(Skip::new)?);
        Ok(())
    }

    /// Waits until it takes requests.
    fn ready(&mut self) -> Result<(), Skip> {
        let log = self.dir.join("server.log");
        let Some(process) = &mut self.process else { return Err(Skip::new("no broker runs")) };
        let waited = process.wait(START_MAX, || tail(&log, 1 << 16).contains(READY));
        if waited.is_err() {
            self.process = None;
        }
        waited
    }
}

/// The jars, and how to run them.
#[derive(Clone)]
struct Install(Jars);

impl Install {
    /// The jars and the class archive, fetched and made if they are not there; by one process at a
    /// time.
    fn get() -> Result<Install, Skip> {
        let log4j = |stream| LOG4J.replace("TARGET", stream);
        let files =
            [("log4j2.xml", log4j("SYSTEM_OUT")), ("log4j2-tools.xml", log4j("SYSTEM_ERR"))];
        let (jars, _lock) = Jars::get("kafka", POM, &files)?;
        let install = Install(jars);
        if !install.archive().exists() {
            install.make_archive()?;
        }
        Ok(install)
    }

    /// The archive is bound to the exact class path, so it lies beside the jars.
    fn archive(&self) -> PathBuf {
        self.0.dir.join("kafka.jsa")
    }

    fn archive_option(&self) -> String {
        format!("-XX:SharedArchiveFile={}", self.archive().display())
    }

    /// Java writes the archive at a clean exit, so one broker is started for it and stopped.
    fn make_archive(&self) -> Result<(), Skip> {
        let dir = self.0.dir.join("first");
        let _ = fs::remove_dir_all(&dir);
        let made = self.0.dir.join("kafka.jsa.partial");
        let mut server = self.server(&dir, &Node::alone(port()?)?)?;
        server.launch(&[&format!("-XX:ArchiveClassesAtExit={}", made.display())])?;
        server.stop();
        let _ = fs::remove_dir_all(&dir);
        fs::rename(&made, self.archive())
            .map_err(|error| Skip::new(format!("no class archive of Kafka: {error}")))
    }

    /// A broker that does not run yet: its settings are written, its storage is formatted.
    fn server(&self, dir: &Path, node: &Node) -> Result<KafkaServer, Skip> {
        let failed = |error| Skip::new(format!("{}: {error}", dir.display()));
        fs::create_dir_all(dir).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        let settings = dir.join("server.properties");
        fs::write(&settings, properties(&dir, node)).map_err(failed)?;
        if !dir.join("log/meta.properties").exists() {
            let mut java = self.java("log4j2-tools.xml");
            java.args(["-Xmx128m", "-XX:TieredStopAtLevel=1", "kafka.tools.StorageTool", "format"]);
            java.arg("-c").arg(&settings).args(["-t", "aGlnaHdhdGVyLXRlc3QtMQ"]);
            run(java)?;
        }
        let (port, secure_port) = (node.port, None);
        Ok(KafkaServer { install: self.clone(), dir, port, secure_port, process: None })
    }

    fn java(&self, log4j: &str) -> Command {
        self.0.java("log4j2.configurationFile", log4j)
    }
}

fn port() -> Result<u16, Skip> {
    free_port().map_err(|error| Skip::new(format!("no free port: {error}")))
}

/// A node, and how many there are.
struct Node {
    id: u32,
    port: u16,
    controller: u16,
    /// All controllers, as the quorum names them.
    voters: String,
    /// How many copies there are of each partition.
    replicas: u32,
}

impl Node {
    fn alone(port: u16) -> Result<Node, Skip> {
        let controller = self::port()?;
        let voters = format!("1@127.0.0.1:{controller}");
        Ok(Node { id: 1, port, controller, voters, replicas: 1 })
    }
}

/// The settings of a node that is broker and controller.
fn properties(dir: &Path, node: &Node) -> String {
    let log = dir.join("log").display().to_string();
    let Node { id, port, controller, voters, replicas } = node;
    let in_sync = replicas / 2 + 1;
    let mut text = format!(
        "\
process.roles=broker,controller
node.id={id}
controller.quorum.voters={voters}
controller.listener.names=CONTROLLER
controller.quorum.election.timeout.ms=500
controller.quorum.fetch.timeout.ms=1000
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
inter.broker.listener.name=PLAINTEXT
log.dirs={log}
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
log.retention.ms=-1
num.network.threads=2
num.io.threads=2
num.recovery.threads.per.data.dir=1
background.threads=2
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=16777216
group.initial.rebalance.delay.ms=0
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
message.max.bytes=10485760
replica.fetch.max.bytes=10485760
offsets.topic.num.partitions=4
offsets.topic.replication.factor={replicas}
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
"
    );
    for topic in ["transaction.state.log", "share.coordinator.state.topic"] {
        text += &format!("{topic}.num.partitions=4\n{topic}.replication.factor={replicas}\n");
        text += &format!("{topic}.min.isr={in_sync}\n");
    }
    text
}

/// Makes a certificate for 127.0.0.1 that vouches for itself, and a key, for a day or two.
fn make_certificate(dir: &Path) -> Result<(), Skip> {
    let openssl = find_program("openssl")
        .ok_or_else(|| Skip::new("TLS needs `openssl`: apt-get install openssl"))?;
    let (key, certificate) = (dir.join("key.pem"), dir.join("certificate.pem"));
    let mut command = Command::new(openssl);
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    command.args(["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]);
    command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
    run(command)?;
    let both = [&key, &certificate].map(fs::read_to_string);
    let [key, certificate] = both;
    let written = key.and_then(|key| Ok(key + &certificate?));
    let written = written.and_then(|pem| fs::write(dir.join("keystore.pem"), pem));
    written.map_err(|error| Skip::new(format!("{}: {error}", dir.display())))
}

/// The settings with a second listener.
fn secured(properties: &str, dir: &Path, port: u16) -> String {
    let listeners = format!(",SASL_SSL://127.0.0.1:{port}");
    let line = |line: &str| match line.split_once('=') {
        Some(("listeners" | "advertised.listeners", _)) => format!("{line}{listeners}\n"),
        Some(("listener.security.protocol.map", _)) => format!("{line},SASL_SSL:SASL_SSL\n"),
        _ => format!("{line}\n"),
    };
    let (user, password) = SECURE_USER;
    let keystore = dir.join("keystore.pem");
    properties.lines().map(line).collect::<String>()
        + &format!(
            "\
ssl.keystore.type=PEM
ssl.keystore.location={}
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";
",
            keystore.display(),
        )
}

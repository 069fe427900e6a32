//! A real S3 server, S3Proxy, on a folder of its own. `services.md` has the measurements: of the
//! free servers it is one that lets exactly one of several writers create an object.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use super::maven::Jars;
use super::process::{Process, free_port};
use super::{Scratch, Skip, or_skip};

/// How long a start may take; a busy machine needs some seconds.
const START_MAX: Duration = Duration::from_secs(60);

/// The first dependency stands there for its version: the one that Maven takes else is too old.
const POM: &str = "\
<project><modelVersion>4.0.0</modelVersion>
  <groupId>highwater.services</groupId><artifactId>s3</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>com.fasterxml.jackson.core</groupId>
      <artifactId>jackson-annotations</artifactId><version>2.21</version></dependency>
    <dependency><groupId>org.gaul</groupId><artifactId>s3proxy</artifactId>
      <version>4.1.0</version></dependency>
  </dependencies>
</project>
";

/// Without it the server logs every byte.
const LOGBACK: &str = r#"<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%d %p %m \(%c\)%n</pattern></encoder></appender>
  <root level="warn"><appender-ref ref="out"/></root>
</configuration>
"#;

/// A server that runs, or was killed and can be started again.
pub struct S3Server {
    jars: Jars,
    dir: PathBuf,
    port: u16,
    process: Option<Process>,
}

/// Who may use a server: the key and the password.
pub const USER: (&str, &str) = ("writer", "writer's secret");

impl S3Server {
    /// Starts a server whose buckets are the folders in `dir/data`.
    ///
    /// # Errors
    ///
    /// Java or Maven is missing, the jars cannot be fetched, or the server does not start.
    pub fn start(dir: &Path) -> Result<S3Server, Skip> {
        let (jars, _lock) = Jars::get("s3proxy", POM, &[("logback.xml", LOGBACK.into())])?;
        let port = free_port().map_err(|error| Skip::new(format!("no free port: {error}")))?;
        let failed = |error| Skip::new(format!("{}: {error}", dir.display()));
        fs::create_dir_all(dir.join("data")).map_err(failed)?;
        let dir = dir.canonicalize().map_err(failed)?;
        fs::write(dir.join("s3proxy.conf"), settings(&dir, port)).map_err(failed)?;
        let mut server = S3Server { jars, dir, port, process: None };
        server.restart()?;
        Ok(server)
    }

    /// The server that the tests of this process share: each has a bucket of its own. `None` if
    /// there is none, as [`or_skip`] says. It ends with the process.
    pub fn shared() -> Option<&'static S3Server> {
        static SHARED: OnceLock<Result<(S3Server, Scratch), Skip>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| {
            let dir = Scratch::new("s3");
            Ok((S3Server::start(dir.path())?, dir))
        });
        or_skip(shared.as_ref().map(|(server, _)| server).map_err(Skip::clone))
    }

    /// Its address, `http://127.0.0.1:port`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket, whose name has at least three letters, and says where its objects are.
    ///
    /// # Errors
    ///
    /// The folder cannot be made.
    pub fn make_bucket(&self, name: &str) -> Result<PathBuf, Skip> {
        let path = self.dir.join("data").join(name);
        fs::create_dir_all(&path)
            .map_err(|error| Skip::new(format!("{}: {error}", path.display())))?;
        Ok(path)
    }

    /// Kills it (SIGKILL), as a crash does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Starts it again on the same port and data, after killing it if it runs.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub fn restart(&mut self) -> Result<(), Skip> {
        self.kill();
        let mut java = self.jars.java("logback.configurationFile", "logback.xml");
        java.args(["-Xmx192m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        java.args(["org.gaul.s3proxy.Main", "--properties"]);
        java.arg(self.dir.join("s3proxy.conf")).current_dir(&self.dir);
        let mut process = Process::spawn(java, &self.dir).map_err(Skip::new)?;
        let address = (Ipv4Addr::LOCALHOST, self.port);
        process.wait(START_MAX, || TcpStream::connect(address).is_ok())?;
        self.process = Some(process);
        Ok(())
    }
}

fn settings(dir: &Path, port: u16) -> String {
    let (key, password) = USER;
    format!(
        "\
s3proxy.endpoint=http://127.0.0.1:{port}
s3proxy.authorization=aws-v2-or-v4
s3proxy.identity={key}
s3proxy.credential={password}
jclouds.provider=filesystem-nio2
jclouds.filesystem.basedir={}
",
        dir.join("data").display(),
    )
}

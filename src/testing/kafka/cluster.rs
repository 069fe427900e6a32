//! Three brokers, each of which is a controller as well: a partition has three copies, and what is
//! acknowledged is on two of them. So any one of them may die.

use std::fs;
use std::path::Path;

use super::{Install, KafkaServer, Node, port};
use crate::testing::Skip;

/// Brokers that run, or of which some were stopped and can be started again.
pub struct KafkaCluster {
    nodes: Vec<KafkaServer>,
}

impl KafkaCluster {
    /// How many brokers there are; they have the numbers from 1.
    pub const NODES: u32 = 3;

    /// Starts three brokers whose state lies in folders of `dir`.
    ///
    /// # Errors
    ///
    /// As [`KafkaServer::start`].
    pub fn start(dir: &Path) -> Result<KafkaCluster, Skip> {
        let install = Install::get()?;
        let ports = |_| Ok::<_, Skip>((port()?, port()?));
        let ports = (0..KafkaCluster::NODES).map(ports).collect::<Result<Vec<_>, _>>()?;
        let voters: Vec<String> =
            (1..).zip(&ports).map(|(id, (_, port))| format!("{id}@127.0.0.1:{port}")).collect();
        let mut nodes: Vec<KafkaServer> = Vec::new();
        for (id, (port, controller)) in (1..).zip(ports) {
            let folder = dir.join(id.to_string());
            if let Some(first) = nodes.first() {
                copy_format(&first.dir, &folder, id)?;
            }
            let voters = voters.join(",");
            let node = Node { id, port, controller, voters, replicas: KafkaCluster::NODES };
            nodes.push(install.server(&folder, &node)?);
        }
        let archive = install.archive_option();
        for node in &mut nodes {
            node.spawn(&[&archive])?;
        }
        nodes.iter_mut().try_for_each(KafkaServer::ready)?;
        Ok(KafkaCluster { nodes })
    }

    /// The addresses of all, with commas between them.
    pub fn brokers(&self) -> String {
        self.nodes.iter().map(KafkaServer::brokers).collect::<Vec<_>>().join(",")
    }

    /// A broker, by its number from 1.
    ///
    /// # Panics
    ///
    /// There is none of that number.
    pub fn node(&mut self, id: u32) -> &mut KafkaServer {
        let index = id.checked_sub(1).map_or(usize::MAX, |index| index as usize);
        self.nodes.get_mut(index).expect("brokers have the numbers 1 to 3")
    }
}

/// Formats the storage of a node as that of the first one: all but its own numbers is the same, and
/// the tool that does it takes seconds.
fn copy_format(first: &Path, folder: &Path, id: u32) -> Result<(), Skip> {
    let copy = || -> std::io::Result<()> {
        let (from, to) = (first.join("log"), folder.join("log"));
        let metadata = "__cluster_metadata-0";
        fs::create_dir_all(to.join(metadata))?;
        for entry in fs::read_dir(from.join(metadata))? {
            let entry = entry?;
            fs::copy(entry.path(), to.join(metadata).join(entry.file_name()))?;
        }
        let text = fs::read_to_string(from.join("meta.properties"))?;
        let line = |line: &str| match line.split_once('=') {
            Some(("node.id", _)) => format!("node.id={id}\n"),
            // The 16 bytes `highwater-node-N` in base64.
            Some(("directory.id", _)) => {
                let last = ["MQ", "Mg", "Mw"][(id as usize + 2) % 3];
                format!("directory.id=aGlnaHdhdGVyLW5vZGUt{last}\n")
            }
            _ => format!("{line}\n"),
        };
        fs::write(to.join("meta.properties"), text.lines().map(line).collect::<String>())
    };
    copy().map_err(|error| Skip::new(format!("{}: {error}", folder.display())))
}

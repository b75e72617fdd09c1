//! rsyslog and syslog-ng as receivers: they write what they receive into a file.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{sleep, timeout};

use crate::authority::Authority;

/// For what ends at once, or never.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// rsyslogd
    Rsyslog,
    /// syslog-ng
    SyslogNg,
}

/// How it listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A message is a datagram.
    Udp,
    /// In the clear.
    Tcp,
    /// With a certificate of its own [`Authority`](crate::authority::Authority).
    Tls,
}

/// A message as it was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Facility and severity.
    pub priority: String,
    /// HOSTNAME
    pub host: String,
    /// APP-NAME
    pub app: String,
    /// PROCID
    pub process: String,
    /// MSG
    pub text: String,
    /// Structured data, as the program shows it.
    pub data: String,
    /// As RFC 3339.
    pub time: String,
}

/// A program that runs, on a port of its own.
#[derive(Debug)]
pub struct Program {
    kind: Kind,
    transport: Transport,
    lf: bool,
    program: PathBuf,
    modules: Option<PathBuf>,
    folder: TempDir,
    authority: Authority,
    /// Where it listens, at 127.0.0.1.
    pub port: u16,
    child: Option<Child>,
    /// Each time it writes to a file of its own: one that is killed may leave half a line.
    starts: usize,
}

impl Program {
    /// Starts it; `None` where it is not there, which is recorded.
    ///
    /// # Panics
    /// Where it does not listen.
    pub async fn start(test: &str, kind: Kind, transport: Transport, lf: bool) -> Option<Self> {
        let name = if kind == Kind::Rsyslog { "rsyslogd" } else { "syslog-ng" };
        let program = crate::peer(test, name)?;
        let modules = modules(kind, &program);
        if kind == Kind::Rsyslog && transport == Transport::Tls {
            let folder =
                modules.clone().unwrap_or_else(|| "/usr/lib/x86_64-linux-gnu/rsyslog".into());
            if !folder.join("lmnsd_ossl.so").is_file() {
                crate::skip(test, "rsyslog's module for TLS is not installed");
                return None;
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let authority = Authority::generate();
        authority.files(folder.path());
        let mut it = Self {
            kind,
            transport,
            lf,
            program,
            modules,
            folder,
            authority,
            port: 0,
            child: None,
            starts: 0,
        };
        // Somebody else may take the port between being chosen and being used.
        for _ in 0..10 {
            it.port = free_port(transport);
            if it.restart().await {
                return Some(it);
            }
        }
        panic!("{name} does not listen: {}", it.log())
    }

    /// Starts it again on its port; whether it listens there.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub async fn restart(&mut self) -> bool {
        self.starts += 1;
        let mut child = self.command().spawn().unwrap();
        let listens = timeout(PATIENCE, async {
            loop {
                if child.try_wait().unwrap().is_some() {
                    return false;
                }
                if listens(child.id(), self.transport, self.port) {
                    return true;
                }
                sleep(Duration::from_millis(5)).await;
            }
        });
        let listens = listens.await.unwrap_or(false);
        self.child = Some(child);
        if !listens {
            self.kill();
        }
        listens
    }

    /// `kill -9`
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// The certificate that signed its own.
    #[must_use]
    pub fn ca(&self) -> String {
        self.authority.pem()
    }

    /// What it has received so far, but for what is not written whole.
    ///
    /// # Panics
    /// Where it has written something else.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        (1..=self.starts).flat_map(|start| self.received_in(start)).collect()
    }

    fn received_in(&self, start: usize) -> Vec<Received> {
        let text = fs::read(self.folder.path().join(format!("out{start}"))).unwrap_or_default();
        let text = String::from_utf8(text).unwrap();
        // The last one may not be whole so far.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        whole.lines().map(received).collect()
    }

    /// What it has received once that is so much.
    ///
    /// # Panics
    /// Where it does not come.
    pub async fn until(&self, count: usize) -> Vec<Received> {
        let received = timeout(PATIENCE, async {
            loop {
                let received = self.received();
                if received.len() >= count {
                    return received;
                }
                sleep(Duration::from_millis(20)).await;
            }
        });
        match received.await {
            Ok(received) => received,
            Err(_) => panic!("{} of {count}: {}", self.received().len(), self.log()),
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn command(&self) -> Command {
        let folder = self.folder.path();
        let config = folder.join("conf");
        fs::write(
            &config,
            match self.kind {
                Kind::Rsyslog => self.rsyslog(),
                Kind::SyslogNg => self.syslog_ng(),
            },
        )
        .unwrap();
        let log =
            fs::OpenOptions::new().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(&self.program);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        match self.kind {
            Kind::Rsyslog => {
                command.arg("-n").arg("-f").arg(config).arg("-i").arg(folder.join("pid"));
                if let Some(modules) = &self.modules {
                    command.arg("-M").arg(modules);
                }
            }
            Kind::SyslogNg => {
                command.args(["--foreground", "--stderr", "--no-caps"]);
                command
                    .arg("--cfgfile")
                    .arg(config)
                    .arg("--persist-file")
                    .arg(folder.join("persist"));
                command
                    .arg("--control")
                    .arg(folder.join("ctl"))
                    .arg("--pidfile")
                    .arg(folder.join("pid"));
                if let Some(modules) = &self.modules {
                    command.arg("--module-path").arg(modules);
                }
            }
        }
        command
    }

    fn rsyslog(&self) -> String {
        let (folder, port, start) = (self.folder.path().display(), self.port, self.starts);
        let input = match self.transport {
            Transport::Udp => format!(
                "module(load=\"imudp\")\ninput(type=\"imudp\" address=\"127.0.0.1\" port=\"{port}\")"
            ),
            // It tells the framings apart by their first byte.
            Transport::Tcp => format!(
                "module(load=\"imtcp\")\ninput(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
            ),
            Transport::Tls => format!(
                "module(load=\"imtcp\" streamDriver.name=\"ossl\" streamDriver.mode=\"1\" streamDriver.authMode=\"anon\")\n\
                 input(type=\"imtcp\" address=\"127.0.0.1\" port=\"{port}\")"
            ),
        };
        let fields = "%PRI%\u{1f}%HOSTNAME%\u{1f}%APP-NAME%\u{1f}%PROCID%\u{1f}%STRUCTURED-DATA%\u{1f}%TIMESTAMP:::date-rfc3339%\u{1f}%msg%\\n";
        format!(
            "global(workDirectory=\"{folder}\" maxMessageSize=\"128k\" defaultNetstreamDriver=\"ptcp\"\n\
             defaultNetstreamDriverCAFile=\"{folder}/ca.pem\" defaultNetstreamDriverCertFile=\"{folder}/cert.pem\"\n\
             defaultNetstreamDriverKeyFile=\"{folder}/key.pem\" parser.escapeControlCharactersOnReceive=\"on\")\n\
             template(name=\"fields\" type=\"string\" string=\"{fields}\")\n{input}\n\
             action(type=\"omfile\" file=\"{folder}/out{start}\" template=\"fields\")\n"
        )
    }

    fn syslog_ng(&self) -> String {
        let (folder, port, start) = (self.folder.path().display(), self.port, self.starts);
        let tls = match self.transport {
            Transport::Tls => format!(
                "tls(key-file(\"{folder}/key.pem\") cert-file(\"{folder}/cert.pem\") peer-verify(optional-untrusted))"
            ),
            Transport::Udp | Transport::Tcp => String::new(),
        };
        let transport = format!("{:?}", self.transport).to_lowercase();
        let source = if self.lf || self.transport == Transport::Udp {
            format!(
                "network(ip(\"127.0.0.1\") port({port}) transport(\"{transport}\") flags(syslog-protocol) {tls})"
            )
        } else {
            format!("syslog(ip(\"127.0.0.1\") port({port}) transport(\"{transport}\") {tls})")
        };
        format!(
            "@version: 3.38\n\
             options {{ keep-hostname(yes); use-dns(no); create-dirs(no); flush-lines(0); stats-freq(0); log-msg-size(131072); }};\n\
             source in {{ {source}; }};\n\
             destination out {{ file(\"{folder}/out{start}\" template(\"$PRI\u{1f}$HOST\u{1f}$PROGRAM\u{1f}$PID\u{1f}$SDATA\u{1f}${{S_ISODATE}}\u{1f}$MSG\\n\")); }};\n\
             log {{ source(in); destination(out); }};\n"
        )
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One that was unpacked does not find its modules.
fn modules(kind: Kind, program: &Path) -> Option<PathBuf> {
    let peers = program.parent()?.parent()?;
    let (within, holds) = match kind {
        Kind::Rsyslog => ("rsyslog/usr/lib", "lmnet.so"),
        Kind::SyslogNg => ("syslog-ng-core/usr/lib/syslog-ng", "libafsocket.so"),
    };
    let folders = peers.join(within).read_dir().ok()?.flatten().map(|folder| folder.path());
    folders.flat_map(|folder| [folder.join("rsyslog"), folder]).find(|it| it.join(holds).is_file())
}

fn free_port(transport: Transport) -> u16 {
    match transport {
        Transport::Udp => UdpSocket::bind("127.0.0.1:0").unwrap().local_addr(),
        Transport::Tcp | Transport::Tls => TcpListener::bind("127.0.0.1:0").unwrap().local_addr(),
    }
    .unwrap()
    .port()
}

/// Whether a process listens there (proc_pid_net(5)).
fn listens(process: u32, transport: Transport, port: u16) -> bool {
    let (table, state) = match transport {
        Transport::Udp => ("udp", "07"),
        Transport::Tcp | Transport::Tls => ("tcp", "0A"),
    };
    let Ok(table) = fs::read_to_string(format!("/proc/net/{table}")) else { return false };
    let sockets: HashSet<&str> = table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let here =
                fields.get(1)?.ends_with(&format!(":{port:04X}")) && *fields.get(3)? == state;
            here.then_some(*fields.get(9)?)
        })
        .collect();
    let Ok(open) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    open.flatten().filter_map(|file| fs::read_link(file.path()).ok()).any(|link| {
        let link = link.to_string_lossy();
        link.strip_prefix("socket:[")
            .and_then(|link| link.strip_suffix(']'))
            .is_some_and(|inode| sockets.contains(inode))
    })
}

fn received(line: &str) -> Received {
    let fields: Vec<&str> = line.splitn(7, '\u{1f}').collect();
    let [priority, host, app, process, data, time, text] = fields[..] else { panic!("{line:?}") };
    let [priority, host, app, process, data, time] =
        [priority, host, app, process, data, time].map(str::to_owned);
    // rsyslog has the space before a text of RFC 3164 in it.
    let text = text.strip_prefix(' ').unwrap_or(text).to_owned();
    Received { priority, host, app, process, text, data, time }
}

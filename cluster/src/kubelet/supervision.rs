//! Telling the supervisor which process groups there are.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::pipe::Sender;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::time::sleep;

/// Messages that may wait for the supervisor.
const QUEUE: usize = 64;

/// How long to wait before a supervisor that ended is replaced.
const PAUSE: Duration = Duration::from_millis(200);

/// What is written into the pipe before the supervisor starts: less than a pipe holds (pipe(7): 64 KiB),
/// so that the write does not block.
const AHEAD: usize = 32 * 1024;

/// The way to the supervisor process. It ends, and the groups with it, when this is dropped.
#[derive(Debug, Clone)]
pub(super) struct Supervision {
    messages: Option<mpsc::Sender<Message>>,
}

#[derive(Debug)]
enum Message {
    /// Answered once the supervisor was told.
    Add {
        group: i32,
        started: u64,
        told: oneshot::Sender<()>,
    },
    Remove {
        group: i32,
    },
}

impl Supervision {
    /// Starts the supervisor: `argv` is a command that runs [`crate::supervise`] on its standard
    /// input. An empty one means none: then pods outlive a cluster that gets `kill -9`.
    ///
    /// # Errors
    /// When the command cannot be run.
    pub(super) fn start(argv: &[String]) -> io::Result<Self> {
        if argv.is_empty() {
            return Ok(Self { messages: None });
        }
        let (messages, queue) = mpsc::channel(QUEUE);
        let first = spawn(argv, b"")?;
        tokio::spawn(keep_telling(argv.to_vec(), first, queue));
        Ok(Self { messages: Some(messages) })
    }

    /// Returns once the supervisor knows of the group.
    pub(super) async fn add(&self, group: i32, started: u64) {
        let Some(messages) = &self.messages else { return };
        let (told, done) = oneshot::channel();
        // Fails only while the runtime is being shut down.
        if messages.send(Message::Add { group, started, told }).await.is_ok() {
            let _ = done.await;
        }
    }

    /// The group has ended.
    pub(super) async fn remove(&self, group: i32) {
        if let Some(messages) = &self.messages {
            let _ = messages.send(Message::Remove { group }).await;
        }
    }
}

/// Starts a supervisor that finds `ahead`, at most [`AHEAD`] bytes, in its pipe: there is no moment at
/// which it runs and does not know of these groups.
fn spawn(argv: &[String], ahead: &[u8]) -> io::Result<(Child, Sender)> {
    let [program, arguments @ ..] = argv else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "an empty command"));
    };
    let (reader, mut writer) = io::pipe()?;
    writer.write_all(ahead)?;
    // A group of its own: a Ctrl-C in the terminal is not for it.
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::from(reader))
        .stdout(Stdio::null())
        .process_group(0)
        .spawn()?;
    Ok((child, Sender::from_owned_fd(OwnedFd::from(writer))?))
}

/// Passes messages on. A supervisor that ends before its time is replaced and told everything again.
async fn keep_telling(
    argv: Vec<String>,
    first: (Child, Sender),
    mut queue: mpsc::Receiver<Message>,
) {
    let mut groups = BTreeMap::new();
    let mut supervisor = Some(first);
    let mut waiting: Vec<oneshot::Sender<()>> = Vec::new();
    loop {
        let Some((child, pipe)) = &mut supervisor else {
            sleep(PAUSE).await;
            match restart(&argv, &groups).await {
                Ok(started) => {
                    supervisor = Some(started);
                    waiting.drain(..).for_each(answer);
                }
                Err(error) => tracing::error!(%error, "cannot start the supervisor of pods"),
            }
            continue;
        };
        let message = tokio::select! {
            message = queue.recv() => message,
            _ = child.wait() => {
                tracing::warn!("the supervisor of pods has ended; starting another");
                supervisor = None;
                continue;
            }
        };
        let told = match message {
            None => return,
            Some(Message::Add { group, started, told }) => {
                groups.insert(group, started);
                let line = format!("+{group} {started}\n");
                waiting.push(told);
                pipe.write_all(line.as_bytes()).await
            }
            Some(Message::Remove { group }) => {
                groups.remove(&group);
                pipe.write_all(format!("-{group}\n").as_bytes()).await
            }
        };
        match told {
            Ok(()) => waiting.drain(..).for_each(answer),
            Err(_) => supervisor = None,
        }
    }
}

/// Whoever asked may have given up.
fn answer(told: oneshot::Sender<()>) {
    let _ = told.send(());
}

async fn restart(argv: &[String], groups: &BTreeMap<i32, u64>) -> io::Result<(Child, Sender)> {
    let all: String =
        groups.iter().map(|(group, started)| format!("+{group} {started}\n")).collect();
    let (ahead, rest) = all.as_bytes().split_at(all.len().min(AHEAD));
    let (child, mut pipe) = spawn(argv, ahead)?;
    pipe.write_all(rest).await?;
    Ok((child, pipe))
}

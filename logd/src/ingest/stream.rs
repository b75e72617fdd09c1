//! A sender's stream.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use fairlead_wire::{
    Incarnation,
    message::{Batch, Close, FromSender, Gap, Open, Source},
    server::{Sender, Stream},
};
use thiserror::Error;

use crate::{
    app::AppId,
    auth::{Grant, remaining},
    origin,
    store::{
        Ending, Share, Store,
        message::{Message, OpenFile},
        outbox::{self, Answers, Outbox},
    },
};

/// Files that a sender may have open on one stream. Names and labels of those of all streams are bounded
/// together.
const FILES: usize = 65_536;
/// Answers are gathered for so long.
const GATHER: Duration = Duration::from_millis(5);

/// Why a stream ends.
#[derive(Debug, Error)]
enum StreamError {
    #[error(transparent)]
    Wire(#[from] fairlead_wire::client::WireError),
    #[error("file {0} is not open")]
    NotOpen(u32),
    #[error("file {0} is open already")]
    Open(u32),
    #[error("file {0}: {1}")]
    Records(u32, fairlead_wire::record::RecordsError),
    #[error("the token has ended")]
    Expired,
    #[error("logd is ending")]
    Ending,
}

impl From<Ending> for StreamError {
    fn from(_: Ending) -> Self {
        Self::Ending
    }
}

/// Takes what a sender sends until one of both ends.
pub(super) async fn take(store: Store, stream: Stream<Grant>) {
    let Stream { identity: grant, hello, mut receiver, sender } = stream;
    let expires = grant.expires;
    let (outbox, answers) = outbox::channel();
    let mut files = Files {
        store,
        grant,
        outbox: Arc::new(outbox),
        open: HashMap::new(),
        full: false,
        refused: HashSet::new(),
    };
    let take = async move {
        while let Some(message) = receiver.next().await? {
            files.take(message).await?;
            files.outbox.room().await;
        }
        Ok::<_, StreamError>(())
    };
    let answer = answer(&answers, &sender);
    tokio::pin!(answer);
    let expired = async {
        match expires.map(remaining) {
            Some(remaining) => tokio::time::sleep(remaining).await,
            None => std::future::pending().await,
        }
    };
    let ended = tokio::select! {
        ended = take => ended,
        // Whoever sends reads its token anew for each stream.
        () = expired => Err(StreamError::Expired),
        () = &mut answer => return,
    };
    match ended {
        // The sender has said all. What is taken of it is still told.
        Ok(()) => answer.await,
        Err(error) => {
            tracing::warn!(sender = hello.sender, %error, "a sender's stream ended");
            sender.end(error.to_string()).await;
        }
    }
}

/// Tells the sender until nothing will come any more, or it listens no more.
async fn answer(answers: &Answers, sender: &Sender) {
    while let Some(messages) = answers.take().await {
        for message in messages {
            if sender.send(&message).await.is_err() {
                return;
            }
        }
        tokio::time::sleep(GATHER).await;
    }
}

/// The files that a sender has open.
struct Files {
    store: Store,
    grant: Grant,
    outbox: Arc<Outbox>,
    open: HashMap<u32, (Arc<OpenFile>, Share)>,
    /// There was no room for one, which was told.
    full: bool,
    /// Apps that the sender may not send for, which was told: it asks again and again.
    refused: HashSet<(String, String)>,
}

/// Apps that are told as refused, of a stream.
const REFUSED: usize = 256;

impl Files {
    async fn take(&mut self, message: FromSender) -> Result<(), StreamError> {
        match message {
            FromSender::Hello(_) => {}
            FromSender::Open(open) => self.open(open).await?,
            FromSender::Batches(batches) => {
                for batch in batches.batches {
                    self.batch(batch).await?;
                }
            }
            FromSender::Gap(gap) => self.gap(gap).await?,
            FromSender::Close(Close { file }) => {
                // One that was refused is none.
                if let Some((file, _)) = self.open.remove(&file) {
                    self.store.put(&file.app.clone(), Message::Close(file)).await?;
                }
            }
        }
        Ok(())
    }

    async fn open(&mut self, open: Open) -> Result<(), StreamError> {
        let Open { file: number, incarnation, source } = open;
        if self.open.contains_key(&number) {
            return Err(StreamError::Open(number));
        }
        let app = AppId::new(&source.namespace, &source.app);
        let app = match app {
            Ok(app) if self.grant.covers(&app) => app,
            // Never answered, so that nothing of it is sent: the others are not to suffer.
            refused => {
                let Source { namespace, app: name, pod, .. } = source;
                let known = refused.is_ok();
                let told = (namespace.clone(), name.clone());
                if self.refused.len() < REFUSED && self.refused.insert(told) {
                    tracing::warn!(
                        namespace,
                        app = name,
                        pod,
                        known,
                        "the sender may not send for it"
                    );
                }
                return Ok(());
            }
        };
        let incarnation = Incarnation {
            pod_uid: incarnation.pod_uid.into(),
            container: incarnation.container.into(),
            restart: incarnation.restart,
            first_line: incarnation.first_line,
        };
        let bytes = origin::size(&incarnation, &source);
        let room = self.store.shared.names.take(bytes).filter(|_| self.open.len() < FILES);
        let Some(share) = room else {
            // Not answered either: it is asked for again, when others may be closed.
            if !std::mem::replace(&mut self.full, true) {
                tracing::warn!(
                    app = %app,
                    open = self.open.len(),
                    "a file is not taken: names and labels of open files have an eighth of the memory, and a stream {FILES} files"
                );
            }
            return Ok(());
        };
        self.full = false;
        let outbox = Some(self.outbox.clone());
        let file = Arc::new(OpenFile { app: app.clone(), incarnation, number, outbox });
        self.open.insert(number, (file.clone(), share));
        Ok(self.store.put(&app, Message::Open(file, source)).await?)
    }

    async fn batch(&mut self, mut batch: Batch) -> Result<(), StreamError> {
        let file = self.file(batch.file)?;
        let records = batch.records().map_err(|error| StreamError::Records(batch.file, error))?;
        batch.records.clear();
        Ok(self.store.put(&file.app.clone(), Message::Batch(file, batch, records)).await?)
    }

    async fn gap(&mut self, gap: Gap) -> Result<(), StreamError> {
        let file = self.file(gap.file)?;
        Ok(self.store.put(&file.app.clone(), Message::Gap(file, gap)).await?)
    }

    fn file(&self, number: u32) -> Result<Arc<OpenFile>, StreamError> {
        self.open.get(&number).map(|(file, _)| file.clone()).ok_or(StreamError::NotOpen(number))
    }
}

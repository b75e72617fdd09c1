//! Settings that are read and do nothing.

use super::FIREWALL;
use crate::dialect::Void;

const STREAMED: &str = "responses are always streamed, so there are no buffers to set";
const HEADS: &str = "the head of a request may have 64 KiB, and a single field all of them";
const NO_HASH: &str = "any number of names of any length is looked up alike";
const COMPRESSION: &str =
    "every client gets the coding that it asks for in Accept-Encoding, or none";
const SESSIONS: &str = "TLS sessions are resumed by tickets alone; nothing is stored";

/// Settings of Deis Workflow and Hephy that mean nothing here.
pub const VOID: &[Void] = &[
    Void { name: "largeHeaderBuffersCount", instead: HEADS },
    Void { name: "largeHeaderBuffersSize", instead: HEADS },
    Void { name: "workerProcesses", instead: "set the number of threads with --workers" },
    Void { name: "maxWorkerConnections", instead: "set the limit with --max-connections" },
    Void { name: "trafficStatusZoneSize", instead: "metrics need no zone of memory" },
    Void { name: "serverNameHashMaxSize", instead: NO_HASH },
    Void { name: "serverNameHashBucketSize", instead: NO_HASH },
    Void { name: "errorLogLevel", instead: "choose what is told with --log" },
    Void {
        name: "logFormat",
        instead: "choose a format with --access-log; deis is Deis's default one",
    },
    Void { name: "disableServerTokens", instead: "responses never name the router" },
    Void { name: "gzip.disable", instead: COMPRESSION },
    Void { name: "gzip.httpVersion", instead: COMPRESSION },
    Void { name: "gzip.proxied", instead: COMPRESSION },
    Void { name: "ssl.sessionCache", instead: SESSIONS },
    Void { name: "ssl.sessionTimeout", instead: SESSIONS },
    Void { name: "ssl.bufferSize", instead: "TLS records are sized by what there is to send" },
    Void { name: "ssl.earlyDataMethods", instead: "early data of TLS 1.3 is never accepted" },
    Void { name: "proxyBuffers.enabled", instead: STREAMED },
    Void { name: "proxyBuffers.number", instead: STREAMED },
    Void { name: "proxyBuffers.size", instead: STREAMED },
    Void { name: "proxyBuffers.busySize", instead: STREAMED },
    Void { name: "loadModsecurityModule", instead: FIREWALL },
    Void { name: "loadTcellModule", instead: FIREWALL },
    Void { name: "globalTcellAppID", instead: FIREWALL },
];

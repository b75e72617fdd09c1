//! Logs of pods: read, followed, rotated.

mod client;
mod run_support;

use std::sync::Arc;
use std::time::Duration;

use fairlead_cluster::logs::{LogOptions, LogRotation, LogStream};
use fairlead_cluster::{DeleteOptions, kinds};
use run_support::{Run, pod, script, start, start_with};
use serde_json::{Value, json};
use tokio::time::timeout;

fn ended(pod: &Value) -> bool {
    matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

fn running(pod: &Value) -> bool {
    pod["status"]["containerStatuses"][0]["state"]["running"].is_object()
}

fn open(run: &Run, pod: &Value, options: LogOptions) -> LogStream {
    run.cluster.logs().read(pod, &options).expect("a log")
}

/// What is left of a log.
async fn rest(mut stream: LogStream) -> String {
    let mut text = Vec::new();
    let read = async {
        while let Some(piece) = stream.next().await {
            text.extend_from_slice(&piece);
        }
    };
    timeout(Duration::from_secs(30), read).await.expect("an end");
    String::from_utf8(text).expect("text")
}

/// Follows a log until this text has come.
async fn until(stream: &mut LogStream, wanted: &str) -> String {
    let mut text = String::new();
    let read = async {
        while !text.ends_with(wanted) {
            let piece = stream.next().await.expect("more");
            text.push_str(std::str::from_utf8(&piece).expect("text"));
        }
    };
    timeout(Duration::from_secs(30), read).await.expect("the text");
    text
}

async fn done(run: &Run, script: &str) -> Arc<Value> {
    run.create(&kinds::POD, pod("talker", &run_support::script("talk", script)));
    run.until(&kinds::POD, "talker", ended).await
}

#[tokio::test]
async fn a_log_is_read_from_where_it_is_wanted() {
    let run = start().await;
    let talker = done(&run, "for i in 1 2 3 4 5; do echo line $i; done").await;
    let all = "line 1\nline 2\nline 3\nline 4\nline 5\n";
    let read = |options| rest(open(&run, &talker, options));
    assert_eq!(read(LogOptions::default()).await, all);
    for (tail, expected) in [(0, ""), (2, "line 4\nline 5\n"), (5, all), (99, all)] {
        let options = LogOptions { tail: Some(tail), ..LogOptions::default() };
        assert_eq!(read(options).await, expected, "{tail}");
    }
    let options = LogOptions { limit: Some(9), ..LogOptions::default() };
    assert_eq!(read(options).await, "line 1\nli");

    let options = LogOptions { timestamps: true, ..LogOptions::default() };
    let stamped = read(options).await;
    let (time, text) = stamped.lines().nth(3).and_then(|line| line.split_once(' ')).expect("two");
    assert_eq!(text, "line 4");
    let options =
        LogOptions { since: Some(time.parse().expect("a time")), ..LogOptions::default() };
    assert!(read(options).await.ends_with("line 4\nline 5\n"));
    let later = "2100-01-01T00:00:00Z".parse().expect("a time");
    let options = LogOptions { since: Some(later), ..LogOptions::default() };
    assert_eq!(read(options).await, "");
}

#[tokio::test]
async fn a_line_longer_than_a_record_comes_whole() {
    let run = start().await;
    let talker = done(&run, "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end").await;
    let expected = format!("{}\nend\n", "x".repeat(40_000));
    assert_eq!(rest(open(&run, &talker, LogOptions::default())).await, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_to_the_end_of_its_run() {
    let run = start().await;
    let mut container =
        script("talk", "echo one; until [ -e /work/go ]; do sleep 0.01; done; echo two");
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let directory = tempfile::tempdir().expect("a directory");
    let mut talker = pod("talker", &container);
    talker["spec"]["volumes"] =
        json!([{"name": "work", "hostPath": {"path": directory.path().to_str()}}]);
    run.create(&kinds::POD, talker);
    let talker = run.until(&kinds::POD, "talker", running).await;
    let mut stream = open(&run, &talker, LogOptions { follow: true, ..LogOptions::default() });
    assert_eq!(until(&mut stream, "one\n").await, "one\n");
    std::fs::write(directory.path().join("go"), "").expect("written");
    assert_eq!(rest(stream).await, "two\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_before_is_kept_and_those_before_it_are_not() {
    let run = start().await;
    let mut talker = pod("talker", &script("talk", "date +%N; exit 1"));
    talker["spec"]["restartPolicy"] = "Always".into();
    run.create(&kinds::POD, talker);
    let waiting = |pod: &Value| {
        let status = &pod["status"]["containerStatuses"][0];
        status["restartCount"] == 3 && status["state"]["waiting"].is_object()
    };
    let talker = run.until(&kinds::POD, "talker", waiting).await;
    let directory = run.logs(&talker).join("talk");
    let mut files: Vec<String> = std::fs::read_dir(&directory)
        .expect("listed")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
        .collect();
    files.sort();
    assert_eq!(files, ["2.log", "3.log"]);
    let last = run.log(&talker, "talk", 3, 1).await[0].clone() + "\n";
    let previous = LogOptions { previous: true, ..LogOptions::default() };
    assert_eq!(rest(open(&run, &talker, previous)).await, last);
    run.delete(&kinds::POD, "talker", &DeleteOptions::default());
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_and_times_are_asked_for_by_http() {
    let run = start().await;
    let directory = tempfile::tempdir().expect("a directory");
    let text = "if mkdir /work/ran 2>/dev/null; then echo first; exit 1; fi; echo second; echo third; sleep 1000";
    let mut container = script("talk", text);
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let mut talker = pod("talker", &container);
    talker["spec"]["restartPolicy"] = "Always".into();
    talker["spec"]["volumes"] =
        json!([{"name": "work", "hostPath": {"path": directory.path().to_str()}}]);
    run.create(&kinds::POD, talker);
    let again = |pod: &Value| pod["status"]["containerStatuses"][0]["restartCount"] == 1;
    let talker = run.until(&kinds::POD, "talker", |pod| again(pod) && running(pod)).await;
    run.log(&talker, "talk", 1, 2).await;

    let (addr, token) = (run.cluster.addr(), run.cluster.mint("tester"));
    let get = async |query: &str| {
        let path = format!("/api/v1/namespaces/app/pods/talker/log?{query}");
        let answer = client::request(addr, &token, "GET", &path, &[], "").await;
        assert_eq!(answer.code, 200, "{}", answer.text);
        assert!(answer.head.contains("content-type: text/plain"), "{}", answer.head);
        answer.text
    };
    assert_eq!(get("previous=true").await, "first\n");
    assert_eq!(get("previous=true&container=talk&tailLines=0").await, "");
    assert_eq!(get("tailLines=2").await, "second\nthird\n");
    let stamped = get("tailLines=2&timestamps=true").await;
    let stamped: Vec<_> = stamped.lines().filter_map(|line| line.split_once(' ')).collect();
    let [(before, "second"), (after, "third")] = stamped[..] else { panic!("{stamped:?}") };
    let time = |text: &str| text.parse::<jiff::Timestamp>().expect("a time");
    assert!(time(before) <= time(after), "{stamped:?}");
    // Nanoseconds, in UTC, as a kubelet writes them.
    assert_eq!((after.len(), after.ends_with('Z')), ("2026-11-20T22:31:09.073636656Z".len(), true));
    let previous = get("previous=true&timestamps=true").await;
    let (first, text) = previous.split_once(' ').expect("a time");
    assert!(text == "first\n" && time(first) <= time(before), "{previous}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_reads_over_rotations_and_misses_nothing() {
    let run = start_with(|options| {
        options.log_rotation = LogRotation { max_size: 20_000, max_files: 3 };
    })
    .await;
    // 300 lines, less than a file, each time it is told to go on.
    let lines = "i=0; for go in 1 2 3 4 5 6; do \
                 until [ -e /work/$go ]; do sleep 0.01; done; \
                 n=0; while [ $n -lt 300 ]; do n=$((n+1)); i=$((i+1)); echo this is line $i; done; \
                 done";
    let mut container = script("talk", lines);
    container["volumeMounts"] = json!([{"name": "work", "mountPath": "/work"}]);
    let directory = tempfile::tempdir().expect("a directory");
    let mut talker = pod("talker", &container);
    talker["spec"]["volumes"] =
        json!([{"name": "work", "hostPath": {"path": directory.path().to_str()}}]);
    run.create(&kinds::POD, talker);
    let talker = run.until(&kinds::POD, "talker", running).await;
    let mut stream = open(&run, &talker, LogOptions { follow: true, ..LogOptions::default() });
    let mut text = String::new();
    for go in 1..=6 {
        std::fs::write(directory.path().join(go.to_string()), "").expect("written");
        text.push_str(&until(&mut stream, &format!("this is line {}\n", go * 300)).await);
    }
    text.push_str(&rest(stream).await);
    let expected: String = (1..=1800).map(|number| format!("this is line {number}\n")).collect();
    assert!(text == expected, "{} of {} bytes", text.len(), expected.len());

    let files = std::fs::read_dir(run.logs(&talker).join("talk")).expect("listed").count();
    assert_eq!(files, 3, "the limit");
}

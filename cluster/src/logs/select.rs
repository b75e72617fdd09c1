//! Which run of which container a request means.

use serde_json::Value;

use super::LogOptions;
use crate::controllers::object::Fields;
use crate::meta;
use crate::status::Status;

/// The container and the number of its run.
///
/// # Errors
/// 400 with the words of API server and kubelet, where there is no such container or it has no log.
pub(super) fn run(pod: &Value, options: &LogOptions) -> Result<(String, u32), Status> {
    let container = container(pod, &options.container)?;
    let name = meta::name(pod);
    if pod.text("/spec/nodeName").is_empty() {
        return Err(Status::bad_request(format!("pod {name} does not have a host assigned")));
    }
    let statuses = ["/status/containerStatuses", "/status/initContainerStatuses"];
    let mut statuses = statuses.into_iter().flat_map(|list| pod.list(list));
    let waits = |what: &str| {
        let what = format!("container \"{container}\" in pod \"{name}\" {what}");
        Err(Status::bad_request(what))
    };
    let Some(status) = statuses.find(|status| status["name"] == container) else {
        return waits("is waiting to start - no logs yet");
    };
    let restarts = status.int("/restartCount").and_then(|count| u32::try_from(count).ok());
    let restarts = restarts.unwrap_or_default();
    let waiting = &status["state"]["waiting"];
    let ended_before = status["lastState"]["terminated"].is_object();
    // A container that waits to be started again has not begun the run that comes next.
    let last = if waiting.is_object() { Some(restarts) } else { restarts.checked_sub(1) };
    let last = last.filter(|_| ended_before);
    if options.previous {
        let what =
            format!("previous terminated container \"{container}\" in pod \"{name}\" not found");
        return last.map(|run| (container, run)).ok_or_else(|| Status::bad_request(what));
    }
    match (waiting.is_object(), last) {
        (false, _) => Ok((container, restarts)),
        (true, Some(run)) => Ok((container, run)),
        (true, None) => match waiting.text("/reason") {
            "ErrImagePull" => waits("is waiting to start: image can't be pulled"),
            reason => waits(&format!("is waiting to start: {reason}")),
        },
    }
}

fn container(pod: &Value, asked: &str) -> Result<String, Status> {
    let names = |list: &str| -> Vec<&str> {
        pod.list(list).iter().map(|container| container.text("/name")).collect()
    };
    let (main, init) = (names("/spec/containers"), names("/spec/initContainers"));
    let name = meta::name(pod);
    match (asked, main.as_slice()) {
        ("", [only]) => Ok((*only).to_owned()),
        ("", _) => {
            let mut message = format!(
                "a container name must be specified for pod {name}, choose one of: [{}]",
                main.join(" ")
            );
            if !init.is_empty() {
                let init = init.join(" ");
                message.push_str(&format!(" or one of the init containers: [{init}]"));
            }
            Err(Status::bad_request(message))
        }
        _ if main.contains(&asked) || init.contains(&asked) => Ok(asked.to_owned()),
        _ => Err(Status::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(status: &Value) -> Value {
        json!({
            "metadata": {"name": "talker"},
            "spec": {
                "nodeName": "local",
                "containers": [{"name": "talk"}, {"name": "quiet"}],
                "initContainers": [{"name": "init"}],
            },
            "status": {"containerStatuses": [status]},
        })
    }

    fn select(pod: &Value, container: &str, previous: bool) -> Result<u32, String> {
        let options =
            LogOptions { container: container.to_owned(), previous, ..LogOptions::default() };
        run(pod, &options).map(|(_, run)| run).map_err(|status| status.message)
    }

    #[test]
    fn the_run_follows_from_the_container_s_status() {
        let ended = json!({"terminated": {"exitCode": 1}});
        let running = |restarts: u32, last: &Value| {
            pod(&json!({
                "name": "talk", "restartCount": restarts, "state": {"running": {}}, "lastState": last,
            }))
        };
        let waiting = |reason: &str, restarts: u32, last: &Value| {
            pod(&json!({
                "name": "talk", "restartCount": restarts, "lastState": last,
                "state": {"waiting": {"reason": reason}},
            }))
        };
        assert_eq!(select(&running(0, &json!({})), "talk", false), Ok(0));
        assert_eq!(select(&running(2, &ended), "talk", false), Ok(2));
        assert_eq!(select(&running(2, &ended), "talk", true), Ok(1));
        assert_eq!(select(&waiting("CrashLoopBackOff", 2, &ended), "talk", false), Ok(2));
        assert_eq!(select(&waiting("CrashLoopBackOff", 2, &ended), "talk", true), Ok(2));
        assert_eq!(
            select(&running(0, &json!({})), "talk", true),
            Err("previous terminated container \"talk\" in pod \"talker\" not found".to_owned())
        );
        assert_eq!(
            select(&waiting("ContainerCreating", 0, &json!({})), "talk", false),
            Err("container \"talk\" in pod \"talker\" is waiting to start: ContainerCreating"
                .to_owned())
        );
    }

    #[test]
    fn the_container_must_be_one_of_the_pod_s() {
        let pod = pod(&json!({}));
        assert_eq!(
            select(&pod, "", false),
            Err("a container name must be specified for pod talker, choose one of: [talk quiet] \
                 or one of the init containers: [init]"
                .to_owned())
        );
        assert_eq!(
            select(&pod, "nope", false),
            Err("container nope is not valid for pod talker".to_owned())
        );
    }
}

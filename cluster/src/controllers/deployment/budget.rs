//! How many pods a rollout may have too many or too few.

use serde_json::Value;

use crate::controllers::object::Fields;

/// The numbers of a Deployment's strategy, resolved against its size.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Budget {
    /// `spec.replicas`.
    pub(super) replicas: i64,
    /// Pods above `replicas` that may exist during a rollout.
    pub(super) surge: i64,
    /// Pods below `replicas` that may be available during a rollout.
    pub(super) unavailable: i64,
    /// Strategy `Recreate`: old pods end before new ones start.
    pub(super) recreate: bool,
}

impl Budget {
    pub(super) fn of(deployment: &Value) -> Self {
        let replicas = deployment.int("/spec/replicas").unwrap_or(1).max(0);
        let strategy = &deployment["spec"]["strategy"];
        if strategy["type"] == "Recreate" {
            return Self { replicas, surge: 0, unavailable: 0, recreate: true };
        }
        let rolling = &strategy["rollingUpdate"];
        let surge = resolve(&rolling["maxSurge"], replicas, true);
        let mut unavailable = resolve(&rolling["maxUnavailable"], replicas, false);
        if surge == 0 && unavailable == 0 {
            // Both round to nothing: without this the rollout could not move.
            unavailable = 1;
        }
        Self { replicas, surge, unavailable: unavailable.min(replicas), recreate: false }
    }

    /// How many pods may exist at a time.
    pub(super) fn most(&self) -> i64 {
        self.replicas + self.surge
    }

    /// How many pods must be available at any time.
    pub(super) fn least_available(&self) -> i64 {
        self.replicas - self.unavailable
    }
}

/// A number, or a percentage of the size: surge rounds up, unavailability rounds down. Absent is
/// 25%, Kubernetes' default.
fn resolve(value: &Value, replicas: i64, up: bool) -> i64 {
    let percent = match value {
        Value::Number(number) => return number.as_i64().unwrap_or_default().max(0),
        Value::String(text) => {
            text.strip_suffix('%').and_then(|number| number.parse::<i64>().ok()).unwrap_or_default()
        }
        _ => 25,
    };
    let scaled = replicas.saturating_mul(percent.clamp(0, 1_000_000));
    if up { scaled.saturating_add(99) / 100 } else { scaled / 100 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn budget(replicas: i64, surge: Value, unavailable: Value) -> (i64, i64) {
        let rolling = json!({"maxSurge": surge, "maxUnavailable": unavailable});
        let strategy = json!({"type": "RollingUpdate", "rollingUpdate": rolling});
        let budget = Budget::of(&json!({"spec": {"replicas": replicas, "strategy": strategy}}));
        (budget.most(), budget.least_available())
    }

    #[test]
    fn percentages_round_surge_up_and_unavailability_down() {
        assert_eq!(budget(10, json!("25%"), json!("25%")), (13, 8));
        assert_eq!(budget(1, json!("25%"), json!("25%")), (2, 1));
        assert_eq!(budget(3, json!(1), json!(0)), (4, 3));
        assert_eq!(budget(3, Value::Null, Value::Null), (4, 3));
    }

    #[test]
    fn a_rollout_can_always_move() {
        assert_eq!(budget(3, json!(0), json!("25%")), (3, 2));
        assert_eq!(budget(3, json!("0%"), json!(0)), (3, 2));
    }

    #[test]
    fn no_more_can_be_unavailable_than_there_are() {
        assert_eq!(budget(2, json!(0), json!(5)), (2, 0));
        assert_eq!(budget(0, json!("25%"), json!("25%")), (0, 0));
    }
}

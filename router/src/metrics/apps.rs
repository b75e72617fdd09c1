//! The series of applications, bounded however many there are.

use std::fmt;

use fairlead_router_core::app::Counts;
use prometheus_client::{encoding::DescriptorEncoder, metrics::MetricType};

use super::{counter, gauge};

/// The label of all apps that have no series of their own.
const OTHER: &str = "_other";

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// The `limit` busiest of `apps` by requests, sorted by name; all others as one.
pub(super) fn busiest(mut apps: Vec<(String, Counts)>, limit: usize) -> Vec<(String, Counts)> {
    let rest = if apps.len() > limit {
        apps.sort_unstable_by_key(|(_, counts)| std::cmp::Reverse(requests(counts)));
        let rest = apps.split_off(limit);
        Some((OTHER.to_owned(), rest.iter().fold(Counts::default(), |sum, (_, c)| add(sum, c))))
    } else {
        None
    };
    apps.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    apps.extend(rest);
    apps
}

fn requests(counts: &Counts) -> u64 {
    counts.classes.iter().sum::<u64>() + counts.in_flight
}

fn add(mut sum: Counts, more: &Counts) -> Counts {
    for (sum, more) in sum.classes.iter_mut().zip(more.classes) {
        *sum += more;
    }
    sum.received += more.received;
    sum.sent += more.sent;
    sum.upstream_errors += more.upstream_errors;
    sum.micros += more.micros;
    sum.upstream_micros += more.upstream_micros;
    sum.in_flight += more.in_flight;
    sum
}

/// Eleven series for each of `apps`.
pub(super) fn encode(
    apps: &[(String, Counts)],
    encoder: &mut DescriptorEncoder<'_>,
) -> fmt::Result {
    let mut metric = encoder.encode_descriptor(
        "app_requests",
        "Requests answered, by application and status class",
        None,
        MetricType::Counter,
    )?;
    for (app, counts) in apps {
        for (class, count) in CLASSES.into_iter().zip(counts.classes) {
            counter(&mut metric, &[("app", app.as_str()), ("class", class)], count)?;
        }
    }
    type Read = fn(&Counts) -> u64;
    let counters: [(&str, &str, Read); 3] = [
        ("app_received_bytes", "Bytes of request bodies read from clients", |c| c.received),
        ("app_sent_bytes", "Bytes of response bodies written to clients", |c| c.sent),
        ("app_upstream_errors", "Failed attempts to get an answer from an endpoint", |c| {
            c.upstream_errors
        }),
    ];
    for (name, help, read) in counters {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (app, counts) in apps {
            counter(&mut metric, &[("app", app.as_str())], read(counts))?;
        }
    }
    let times: [(&str, &str, Read); 2] = [
        (
            "app_request_seconds",
            "Time from the heads of requests to the ends of their answers",
            |c| c.micros,
        ),
        ("app_upstream_seconds", "The part of it in which endpoints were asked", |c| {
            c.upstream_micros
        }),
    ];
    for (name, help, read) in times {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (app, counts) in apps {
            counter(&mut metric, &[("app", app.as_str())], read(counts) as f64 / 1e6)?;
        }
    }
    let mut metric = encoder.encode_descriptor(
        "app_requests_in_flight",
        "Requests being answered now",
        None,
        MetricType::Gauge,
    )?;
    for (app, counts) in apps {
        gauge(&mut metric, &[("app", app.as_str())], counts.in_flight)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, HashSet},
        sync::Arc,
    };

    use fairlead_router_core::{
        Change, Compiler, Key, Service, Settings,
        app::{App, Outcome},
        object::ServicePort,
    };
    use prometheus_client::{collector::Collector, registry::Registry};

    use super::*;

    fn counts(requests: u64) -> Counts {
        Counts { classes: [0, requests, 0, 0, 0], received: 1, ..Counts::default() }
    }

    #[test]
    fn the_busiest_have_their_own_series_and_nothing_is_lost() {
        let apps = [("a", 1), ("b", 5), ("c", 2), ("d", 9)];
        let apps = apps.map(|(name, n)| (name.to_owned(), counts(n)));
        let all = busiest(apps.to_vec(), 4);
        assert_eq!(all, apps);
        let some = busiest(apps.to_vec(), 2);
        let names: Vec<_> = some.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "d", "_other"]);
        let other = Counts { received: 2, ..counts(3) };
        assert_eq!(some[2].1, other);
    }

    /// The default of `--metrics-apps`.
    const LIMIT: usize = 2_000;
    /// What a scrape may cost for each of them.
    const SERIES: usize = 12;

    #[derive(Debug)]
    struct Apps(Vec<Arc<App>>);

    impl Collector for Apps {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let apps = self.0.iter().map(|app| (app.id.as_str().to_owned(), app.counts()));
            encode(&busiest(apps.collect(), LIMIT), &mut encoder)
        }
    }

    fn service(n: usize) -> Change {
        let key = Key::new("shop", format!("app-{n}"));
        let domains = format!("app-{n}.example").into();
        let service = Service {
            key: key.clone(),
            created: 0,
            labels: [("router.fairlead.dev/routable".into(), "true".into())].into(),
            annotations: [("router.fairlead.dev/domains".into(), domains)].into(),
            ports: vec![ServicePort::new("", 80)],
            external_name: None,
        };
        Change::Service(key, Some(service))
    }

    #[test]
    fn ten_thousand_apps_have_the_series_of_two_thousand_and_one() {
        let mut compiler = Compiler::new(Arc::new(Settings::default()));
        (0..10_000).for_each(|n| compiler.apply(service(n)));
        let apps: Vec<_> = compiler.apps().cloned().collect();
        assert_eq!(apps.len(), 10_000);
        // The ones with even numbers below 4,000 are the busiest.
        let number = |name: &str| name.strip_prefix("shop/app-").unwrap().parse::<usize>().unwrap();
        let is_busy = |n: usize| n < 4_000 && n.is_multiple_of(2);
        for app in &apps {
            for _ in 0..=usize::from(is_busy(number(app.id.as_str()))) {
                app.begin(0);
                app.end(0, Outcome { status: 200, received: 1, sent: 10, ..Outcome::default() });
            }
        }
        let mut registry = Registry::with_prefix("fairlead_router");
        registry.register_collector(Box::new(Apps(apps)));
        let mut page = String::new();
        prometheus_client::encoding::text::encode(&mut page, &registry).unwrap();

        let mut series = BTreeMap::<&str, HashSet<&str>>::new();
        let mut answered = 0;
        for line in page.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            let app = name.split_once("app=\"").unwrap().1.split_once('"').unwrap().0;
            assert!(series.entry(app).or_default().insert(name), "{name} is there twice");
            if name.contains("class=\"2xx\"") {
                answered += value.parse::<u64>().unwrap();
            }
        }
        assert_eq!(series.len(), LIMIT + 1);
        assert!(series.contains_key(OTHER));
        assert!(series.keys().all(|name| *name == OTHER || is_busy(number(name))));
        let most = series.values().map(HashSet::len).max().unwrap();
        assert!(most <= SERIES, "{most} series of one app");
        assert_eq!(answered, 12_000, "no request is lost among the others");
    }
}

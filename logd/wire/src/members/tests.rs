use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn members(names: impl IntoIterator<Item = String>) -> Members {
    let url = Uri::from_static("http://127.0.0.1:8089");
    let member = |name| Member { name, ..Member::at(url.clone()) };
    Members::new(names.into_iter().map(member).collect())
}

proptest! {
    #[test]
    fn a_member_that_leaves_moves_only_its_apps(
        names in btree_set("[a-z0-9-]{1,20}", 1..9),
        apps in vec("[a-z]{1,9}/[a-z]{1,9}", 1..99),
        gone in any::<prop::sample::Index>(),
    ) {
        let all = members(names.clone());
        let gone = gone.get(&names.iter().cloned().collect::<Vec<_>>()).clone();
        let left = members(names.into_iter().filter(|name| *name != gone));
        for app in apps {
            let before = &all.owner(&app).unwrap().name;
            let after = left.owner(&app).map(|member| &member.name);
            prop_assert!(*before == gone || after == Some(before));
        }
    }
}

#[test]
fn apps_are_spread_over_all_members() {
    let logds = members((0..3).map(|n| format!("logd-{n}")));
    let mut counts = BTreeMap::new();
    for app in 0..3000 {
        *counts
            .entry(logds.owner(&format!("shop/app-{app}")).unwrap().name.as_str())
            .or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 3);
    assert!(counts.values().all(|count| (900..1100).contains(count)), "{counts:?}");
    let (unknown, none) = (Members::default(), Members::new(Vec::new()));
    assert_eq!([unknown.owner("shop/web"), none.owner("shop/web")], [None, None]);
    assert_eq!([unknown.is_known(), none.is_known()], [false, true]);
    // docs/wire.md tells this one.
    assert_eq!(logds.owner("shop/web").unwrap().name, "logd-2");
}

#[test]
fn logds_are_a_url_or_a_service() {
    let service = Logds::Service { namespace: "fairlead".into(), name: "logd".into() };
    assert_eq!("service:fairlead/logd".parse(), Ok(service));
    let url = "http://127.0.0.1:8089";
    assert_eq!(url.parse(), Ok(Logds::At(Uri::from_static(url))));
    for wrong in [
        "",
        "logd:8089",
        "http://logd",
        "http://a:1/x",
        "ftp://a:1",
        "service:logd",
        "service:/a",
        "service:a/B",
    ] {
        assert_eq!(wrong.parse::<Logds>(), Err(NoLogds(wrong.into())));
    }
}

#[test]
fn ready_endpoints_with_the_port_are_members() {
    let slice = json!({
        "metadata": {"name": "logd-abc"},
        "addressType": "IPv4",
        "ports": [{"name": "http", "port": 8088}, {"name": "wire", "port": 8089}],
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "targetRef": {"kind": "Pod", "name": "logd-0"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": false}, "targetRef": {"kind": "Pod", "name": "logd-1"}},
            {"addresses": ["fd00::3"]},
        ],
    });
    let slice: EndpointSlice = serde_json::from_value(slice).unwrap();
    let member =
        |name: &str, url| Member { name: name.into(), ..Member::at(Uri::from_static(url)) };
    let expected =
        [member("logd-0", "http://10.0.0.1:8089"), member("fd00::3", "http://[fd00::3]:8089")];
    assert_eq!(ready(&slice, WIRE, None), expected);
    assert_eq!(ready(&slice, HTTP, None)[0], member("logd-0", "http://10.0.0.1:8088"));
    assert_eq!(ready(&slice, "other", None), []);
    let server_name = ServerName::try_from("logd.fairlead.svc").ok();
    let secure = Member { server_name, ..member("logd-0", "https://10.0.0.1:8089") };
    assert_eq!(ready(&slice, WIRE, secure.server_name.as_ref())[0], secure);
}

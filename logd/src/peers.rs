//! Which logd has an app: this one, or another, which is asked instead.

use std::future::pending;

use fairlead_wire::{
    Logds, Members,
    members::{HTTP, Member, Port},
};
use kube::Client;
use tokio::sync::watch;

use crate::app::AppId;

/// The logds of a Service. Each has the apps that hashing gives it.
#[derive(Debug, Clone)]
pub struct Peers {
    members: watch::Receiver<Members>,
    own: String,
}

/// Where an app is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    There(Member),
}

impl Peers {
    /// Follows the ready endpoints of `service`; this logd is the one called `own`, which is its
    /// pod's name, or its address where the endpoints name no pods.
    ///
    /// Belongs to the runtime it is called on, and so does `client`.
    #[must_use]
    pub fn follow(service: Logds, own: String, client: Client) -> Self {
        let http = Port { name: HTTP, secure: false };
        let members = service.follow(http, Some(client)).expect("there is a client");
        Self { members, own }
    }

    /// Whether it is known which logds there are.
    pub(crate) fn are_known(&self) -> bool {
        self.members.borrow().is_known()
    }

    /// Where an app is; here, as long as nobody knows better.
    pub(crate) fn place(&self, app: &AppId) -> Place {
        match self.members.borrow().owner(app.as_str()) {
            Some(owner) if owner.name != self.own => Place::There(owner.clone()),
            _ => Place::Here,
        }
    }

    /// Waits until an app is no longer there.
    pub(crate) async fn left(mut self, app: AppId, place: Place) {
        while self.place(&app) == place {
            if self.members.changed().await.is_err() {
                return pending().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_app_is_here_until_another_logd_is_known_to_have_it() {
        let (members_in, members) = watch::channel(Members::default());
        let peers = Peers { members, own: "logd-0".to_owned() };
        let member = |name: &str| Member {
            name: name.to_owned(),
            ..Member::at(http::Uri::from_static("http://127.0.0.1:1"))
        };
        // docs/wire.md tells that logd-2 of three has it.
        let app = AppId::new("shop", "web").unwrap();
        assert!(!peers.are_known());
        assert_eq!(peers.place(&app), Place::Here);
        let mut left = Box::pin(peers.clone().left(app.clone(), Place::Here));
        assert!(futures::poll!(&mut left).is_pending());
        for none in [vec![], vec![member("logd-0")]] {
            members_in.send_replace(Members::new(none));
            assert!(peers.are_known());
            assert_eq!(peers.place(&app), Place::Here);
            assert!(futures::poll!(&mut left).is_pending());
        }
        let all = ["logd-0", "logd-1", "logd-2"];
        members_in.send_replace(Members::new(all.map(member).to_vec()));
        assert_eq!(peers.place(&app), Place::There(member("logd-2")));
        left.await;
    }
}

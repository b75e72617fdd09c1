//! The table of kinds. A kind is one row: everything that the store and the handlers need to know
//! about it, so that there is one set of handlers for all.

mod events;
mod served;
mod table;

use jiff::Timestamp;
use serde_json::Value;

use crate::custom::Custom;
use crate::tables::Table;
use crate::validate::Causes;

pub(crate) use events::selected_path as selected_event_path;
pub use served::Served;
pub use table::*;

/// A resource type: its names, its scope and what is special about it.
#[derive(Debug)]
pub struct Kind {
    /// What the cluster does with objects, for people.
    pub about: &'static str,
    /// API group; empty for the core group.
    pub group: &'static str,
    /// Version, as in `v1`.
    pub version: &'static str,
    /// Kind, as in `EndpointSlice`.
    pub kind: &'static str,
    /// Name in paths, as in `endpointslices`.
    pub plural: &'static str,
    /// Name for people, as in `endpointslice`.
    pub singular: &'static str,
    /// Names that kubectl accepts, as in `svc`.
    pub short_names: &'static [&'static str],
    /// Groups of kinds that kubectl accepts, as in `all`.
    pub categories: &'static [&'static str],
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether objects are kept. Others are answered when they are created, and forgotten.
    pub stored: bool,
    /// Whether there is a `/status` subresource: then the main resource does not write status.
    pub status: bool,
    /// Where what `/scale` shows is kept; `None`: there is no such subresource.
    pub(crate) scale: Option<&'static ScalePaths>,
    /// Which fields count for `metadata.generation`; `None`: the kind has no generation.
    pub generation: Option<Generation>,
    /// The rule that names must follow.
    pub name_rule: NameRule,
    /// Fields beyond `metadata.name` and `metadata.namespace` that field selectors may use.
    pub selectable: &'static [&'static str],
    /// Whether `DELETE` answers with the last state of the object rather than a Status.
    pub returns_deleted: bool,
    /// Name of the type in the published schema.
    pub definition: &'static str,
    /// The kind that objects are kept as, where this one only shows them in another form.
    pub(crate) alias: Option<&'static Alias>,
    /// What a CustomResourceDefinition says, where one made the kind.
    pub(crate) custom: Option<&'static Custom>,
    /// What `kubectl get` prints.
    pub(crate) table: &'static Table,
    /// Fills in what a client leaves out.
    pub(crate) defaults: fn(&mut Value),
    /// Sets what only the server sets on a new object.
    pub(crate) initialize: fn(&mut Value),
    /// Allocates what the server allocates for a new object, or takes it over from the object that
    /// is replaced.
    pub(crate) allocate: fn(Option<&Value>, &mut Value),
    /// The rules beyond types; the second value is what is replaced.
    pub(crate) validate: fn(&Value, Option<&Value>, &mut Causes),
    /// Where deleting an object empties it first: marks that it is being emptied.
    pub(crate) terminate: Option<fn(&mut Value)>,
}

/// Where a kind keeps what its `/scale` shows, as JSON pointers.
#[derive(Debug)]
pub(crate) struct ScalePaths {
    /// The number of replicas that is wanted.
    pub(crate) wanted: &'static str,
    /// The number of replicas that there are.
    pub(crate) found: &'static str,
    /// The selector of replicas, a text or a LabelSelector. Empty: there is none.
    pub(crate) selector: &'static str,
}

/// How objects of one kind are shown as another.
#[derive(Debug)]
pub(crate) struct Alias {
    /// What objects are kept as.
    pub(crate) kind: &'static Kind,
    /// To the form that is kept.
    pub(crate) inward: fn(&mut Value),
    /// To the form that is shown.
    pub(crate) outward: fn(&mut Value),
}

/// Which fields count for `metadata.generation`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// A change of `spec`.
    Spec,
    /// A change of `spec` other than being bound to a node.
    PodSpec,
    /// A change of anything but `metadata` and `status`.
    Content,
    /// A change of anything but `metadata`.
    Everything,
}

/// The rule that names must follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameRule {
    /// RFC 1123 subdomain, at most 253 characters.
    Subdomain,
    /// RFC 1123 label, at most 63 characters.
    Label,
    /// RFC 1035 label: as a label, and does not start with a digit.
    Label1035,
    /// Anything that can stand as one segment of a path.
    PathSegment,
}

/// A part of an object with a path and rules of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subresource {
    /// `/status`: writes status only.
    Status,
    /// `/finalize` of a namespace: writes `spec.finalizers` only.
    Finalize,
    /// `/scale` of a workload: writes `spec.replicas` only.
    Scale,
}

impl Subresource {
    /// The name in paths and in managed fields.
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Finalize => "finalize",
            Self::Scale => "scale",
        }
    }
}

impl Kind {
    /// Whether this is that row of the table. Another kind may have the same name in another group.
    pub fn is(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }

    /// The paths below an object.
    pub fn subresources(&self) -> Vec<&'static str> {
        let parts = [
            ("finalize", self.is(&NAMESPACE)),
            ("log", self.is(&POD)),
            ("scale", self.scale.is_some()),
            ("status", self.status && self.stored),
        ];
        parts.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }

    /// `kind` of lists.
    pub fn list_kind(&self) -> String {
        self.custom.map_or_else(|| format!("{}List", self.kind), |custom| custom.list_kind.clone())
    }

    /// `columnDefinitions` of a table.
    pub(crate) fn columns(&self) -> Value {
        self.custom.map_or_else(|| self.table.columns(), Custom::columns)
    }

    /// The cells of an object's row of a table.
    pub(crate) fn cells(&self, object: &Value, now: Timestamp) -> Vec<Value> {
        match self.custom {
            Some(custom) => custom.cells(object, now),
            None => self.table.cells(object, now),
        }
    }

    /// `apiVersion` of objects: `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        match self.group {
            "" => self.version.to_owned(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// The path that its resources are below: `/api/v1`, `/apis/apps/v1`.
    pub fn path(&self) -> String {
        match self.group {
            "" => format!("/api/{}", self.version),
            group => format!("/apis/{group}/{}", self.version),
        }
    }

    /// The kind that objects are kept as.
    pub fn kept_as(&'static self) -> &'static Self {
        self.alias.map_or(self, |alias| alias.kind)
    }

    /// Plural name with its group, as in messages: `configmaps`, `deployments.apps`.
    pub fn resource(&self) -> String {
        match self.group {
            "" => self.plural.to_owned(),
            group => format!("{}.{group}", self.plural),
        }
    }

    /// Kind with its group, as in messages: `ConfigMap`, `Deployment.apps`.
    pub fn qualified(&self) -> String {
        match self.group {
            "" => self.kind.to_owned(),
            group => format!("{}.{group}", self.kind),
        }
    }

    /// Finds the kind that `apiVersion` and `kind` of an object name, custom kinds apart.
    pub fn of(api_version: &str, kind: &str) -> Option<&'static Self> {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        KINDS.iter().copied().find(|k| k.group == group && k.version == version && k.kind == kind)
    }
}

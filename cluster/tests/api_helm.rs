//! helm, unchanged: install, upgrade, roll back and uninstall a small chart.

mod real;
mod run_support;
mod tool;

use tool::Tool;

const CHART: &str = "apiVersion: v2\nname: tiny\nversion: 0.1.0\n";

const VALUES: &str = "replicas: 1\ntext: hello\n";

const TEMPLATES: &str = r#"
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec:
  selector: {app: "{{ .Release.Name }}"}
  ports: [{name: http, port: 80, targetPort: http}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}"}
data: {text: "{{ .Values.text }}"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: {{ .Values.replicas }}
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: web
        image: helper
        args: [serve, "{{ .Values.text }}"]
        env: [{name: PORT, value: '8080'}]
        ports: [{name: http, containerPort: 8080}]
"#;

#[tokio::test]
async fn a_chart_is_installed_upgraded_rolled_back_and_removed() {
    let test = "a_chart_is_installed_upgraded_rolled_back_and_removed";
    let Some(helm) = Tool::start(test, "helm").await else { return };
    release(&helm, 1).await;
}

/// Without pods: a real server has no image of the helper.
#[tokio::test]
async fn a_chart_without_pods_is_released_on_a_real_server() {
    let test = "a_chart_without_pods_is_released_on_a_real_server";
    let Some(helm) = Tool::real(test, "helm").await else { return };
    release(&helm, 0).await;
    helm.end().await;
}

/// A life of a chart: `pods` at first, one more after the upgrade where there are any.
async fn release(helm: &Tool, pods: u32) {
    helm.file("tiny/Chart.yaml", CHART);
    helm.file("tiny/values.yaml", VALUES);
    helm.file("tiny/templates/all.yaml", TEMPLATES);
    let install = format!("install tiny tiny --wait --timeout 60s --set replicas={pods}");
    let installed = helm.ok(&install).await;
    assert!(
        installed.contains("STATUS: deployed") && installed.contains("REVISION: 1"),
        "{installed}"
    );
    let upgrade = format!(
        "upgrade tiny tiny --wait --timeout 60s --set replicas={},text=bye",
        if pods > 0 { pods + 1 } else { 0 }
    );
    let upgraded = helm.ok(&upgrade).await;
    assert!(upgraded.contains("REVISION: 2"), "{upgraded}");
    assert!(helm.ok("get manifest tiny").await.contains("text: \"bye\""));
    helm.ok("rollback tiny 1 --wait --timeout 60s").await;
    let history = helm.ok("history tiny").await;
    assert!(history.contains("Rollback to 1"), "{history}");
    assert!(helm.ok("list").await.contains("tiny-0.1.0"));
    let again = helm.run("install tiny tiny").await;
    assert_eq!(again.code, Some(1));
    assert!(again.err.contains("cannot re-use a name that is still in use"), "{}", again.err);
    assert_eq!(
        helm.ok("uninstall tiny --wait --timeout 60s").await,
        "release \"tiny\" uninstalled\n"
    );
    assert_eq!(helm.run("status tiny").await.code, Some(1));
}

{{/* The labels of a service's objects; of: root, perhaps name, component. */}}
{{- define "switchhook.labels" -}}
{{- with get . "name" -}}
app.kubernetes.io/name: {{ . }}
{{ end -}}
{{- with get . "component" -}}
app.kubernetes.io/component: {{ . }}
{{ end -}}
app.kubernetes.io/part-of: switchhook
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* The labels of its pods, which an update of the chart alone leaves as they are. */}}
{{- define "switchhook.podLabels" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: switchhook
{{- end }}

{{- define "switchhook.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "switchhook.containerSecurity" -}}
allowPrivilegeEscalation: false
privileged: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "switchhook.key" -}}
NATS_PASSWORD_{{ . | upper | replace "-" "_" }}
{{- end }}

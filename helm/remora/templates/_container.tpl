{{/*
The container of Remora, the one place where it is written: sidecar, gateway and test use it, so that they cannot drift.

  include "remora.container" (dict "root" $ "role" "sidecar" | "gateway" | "test")

`sidecar` and `test` are native sidecars (restartPolicy Always in initContainers).
*/}}
{{- define "remora.container" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $own := include "remora.own" . | fromYaml }}
{{- $document := include "remora.givenDocument" . | fromYaml }}
{{- $probe := include "remora.probePortOf" (dict "document" $document "role" $role) -}}
name: {{ $own.containerName | default "remora" | toYaml }}
image: {{ include "remora.image" $root | quote }}
imagePullPolicy: {{ $root.Values.image.pullPolicy }}
{{- if ne $role "gateway" }}
restartPolicy: Always
{{- end }}
args:
  - serve
  - --config=/etc/remora/config/remora.yaml
  - --probe={{ $root.Values.bindAddress }}:{{ $probe }}
  {{- if eq $role "gateway" }}
  - --http={{ $root.Values.bindAddress }}:7360
  - --grpc={{ $root.Values.bindAddress }}:7361
  - --workers
  - {{ $root.Values.gateway.workers | quote }}
  {{- end }}
  {{- with $own.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with include "remora.env" . | trim }}
env:
  {{- . | nindent 2 }}
{{- end }}
ports:
  {{- if eq $role "gateway" }}
  - name: http
    containerPort: 7360
    protocol: TCP
  - name: grpc
    containerPort: 7361
    protocol: TCP
  {{- end }}
  - name: remora-probe
    containerPort: {{ $probe }}
    protocol: TCP
startupProbe:
  httpGet:
    path: /startupz
    port: remora-probe
  periodSeconds: 1
  failureThreshold: 60
readinessProbe:
  httpGet:
    path: /readyz
    port: remora-probe
  periodSeconds: 5
  timeoutSeconds: 2
livenessProbe:
  httpGet:
    path: /livez
    port: remora-probe
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml $own.resources | nindent 2 }}
securityContext:
  {{- include "remora.securityContext" $root | nindent 2 }}
terminationMessagePolicy: FallbackToLogsOnError
volumeMounts:
  {{- include "remora.mounts" . | nindent 2 }}
{{- end }}

{{/* The environment of the container; same arguments. */}}
{{- define "remora.env" -}}
{{- $own := include "remora.own" . | fromYaml -}}
{{- $document := include "remora.givenDocument" . | fromYaml -}}
{{- /* The variable would win over a gateway's document, and its callers' namespace need not be its own. */ -}}
{{- if or (ne .role "gateway") (not $document.namespace) }}
- name: REMORA_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- end }}
{{- if ne .role "gateway" }}
- name: REMORA_SERVICE
  value: {{ eq .role "test" | ternary "test" (include "remora.service" .root) | quote }}
{{- end }}
{{- with $own.extraEnv }}
{{ include "remora.tplvalues" (dict "root" $.root "value" .) }}
{{- end }}
{{- end }}

{{/* The mounts of the container; same arguments. */}}
{{- define "remora.mounts" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $own := include "remora.own" . | fromYaml -}}
- name: remora-config
  mountPath: /etc/remora/config
  readOnly: true
{{- range $layer := splitList " " (include "remora.layers" .) }}
{{- if $layer }}
- name: remora-policy-{{ $layer }}
  mountPath: /etc/remora/policy/{{ $layer }}
  readOnly: true
{{- end }}
{{- end }}
{{- if include "remora.credentials" . }}
- name: remora-credentials
  mountPath: /etc/remora/credentials
  readOnly: true
{{- end }}
{{- if and (eq $role "gateway") $root.Values.gateway.keysSecret }}
- name: remora-keys
  mountPath: /etc/remora/keys
  readOnly: true
{{- end }}
{{- if and (eq $role "gateway") $root.Values.gateway.tlsSecret }}
- name: remora-tls
  mountPath: /etc/remora/tls
  readOnly: true
{{- end }}
{{- if and (eq $role "sidecar") $root.Values.sidecar.hideServiceAccountToken }}
- name: remora-no-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- with $own.extraVolumeMounts }}
{{ include "remora.tplvalues" (dict "root" $root "value" .) }}
{{- end }}
{{- end }}

{{/* The values that are a role's own. */}}
{{- define "remora.own" -}}
{{- $own := dict "gateway" (omit .root.Values.gateway "config") "sidecar" .root.Values.sidecar "test" (dict "resources" .root.Values.tests.resources) }}
{{- include "remora.sound" (dict "text" (toYaml (get $own .role)) "what" .role) }}
{{- end }}

{{/* The volumes of the container; same arguments. */}}
{{- define "remora.volumes" -}}
{{- $root := .root }}
{{- $role := .role }}
{{- $own := include "remora.own" . | fromYaml }}
{{- $isOwner := or (eq $role "gateway") $root.Values.openshift }}
{{- $mode := $root.Values.credentials.defaultMode | default ($isOwner | ternary 288 292) -}}
- name: remora-config
  configMap:
    name: {{ include "remora.configName" . | toYaml }}
{{- range $layer := splitList " " (include "remora.layers" .) }}
{{- if $layer }}
- name: remora-policy-{{ $layer }}
  configMap:
    name: {{ include "remora.policyName" (dict "root" $root "layer" $layer) | toYaml }}
    # Absent it must not hold the pod up: Remora waits for it and says so on /readyz.
    optional: true
{{- end }}
{{- end }}
{{- if include "remora.credentials" . }}
- name: remora-credentials
  secret:
    secretName: {{ include "remora.credentials" . | toYaml }}
    defaultMode: {{ $mode }}
    optional: {{ $root.Values.credentials.optional }}
{{- end }}
{{- if and (eq $role "gateway") $root.Values.gateway.keysSecret }}
- name: remora-keys
  secret:
    secretName: {{ $root.Values.gateway.keysSecret | toYaml }}
    defaultMode: {{ $mode }}
{{- end }}
{{- if and (eq $role "gateway") $root.Values.gateway.tlsSecret }}
- name: remora-tls
  secret:
    secretName: {{ $root.Values.gateway.tlsSecret | toYaml }}
    defaultMode: {{ $mode }}
{{- end }}
{{- if and (eq $role "sidecar") $root.Values.sidecar.hideServiceAccountToken }}
- name: remora-no-token
  emptyDir:
    sizeLimit: 1Mi
{{- end }}
{{- with $own.extraVolumes }}
{{ include "remora.tplvalues" (dict "root" $root "value" .) }}
{{- end }}
{{- end }}

{{/* The Secret with keys of providers, if the role has one. */}}
{{- define "remora.credentials" -}}
{{- if eq .role "gateway" }}
{{- .root.Values.gateway.credentialsSecret | default .root.Values.credentials.existingSecret | default "" }}
{{- else if eq .role "sidecar" }}
{{- .root.Values.credentials.existingSecret | default "" }}
{{- end }}
{{- end }}

{{/* The ConfigMap with a role's document. None ends as another release's may: -gateway-config does (values.yaml, fullnameOverride), and
     a name that is installed is not changed. */}}
{{- define "remora.configName" -}}
{{- include "remora.fullname" .root }}-{{ get (dict "sidecar" "config" "gateway" "gateway-config" "test" "test") .role }}
{{- end }}

{{/* What Pod Security "restricted" asks for, and a read-only root. Set on every container: a pod's own context is the user's. */}}
{{- define "remora.securityContext" -}}
allowPrivilegeEscalation: false
capabilities:
  drop: [ALL]
privileged: false
readOnlyRootFilesystem: true
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 65532
runAsGroup: 65532
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "remora.podSecurityContext" -}}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
fsGroupChangePolicy: OnRootMismatch
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{/* A mesh must not capture the port that the kubelet and Prometheus ask. */}}
{{- define "remora.meshAnnotations" -}}
config.linkerd.io/skip-inbound-ports: {{ . | quote }}
traffic.sidecar.istio.io/excludeInboundPorts: {{ . | quote }}
{{- end }}

{{/* Of the gateway's pods: the selector's, and the values' own beside them. */}}
{{- define "remora.podLabels" -}}
{{- $selected := merge (include "remora.selectorLabels" . | fromYaml) (dict "app.kubernetes.io/component" "gateway") }}
{{- $given := include "remora.tplmap" (dict "root" . "map" (.Values.gateway.podLabels | default dict)) | fromYaml }}
{{- range $label := keys $selected | sortAlpha }}
{{- if hasKey $given $label }}
{{- fail (printf "gateway.podLabels: %s is the selector's, and the Deployment would not find its pods" $label) }}
{{- end }}
{{- end }}
{{- include "remora.over" (list $given $selected) }}
{{- end }}

{{/* Of the gateway's pods: the chart's, those for meshes, and the values' own, which win. */}}
{{- define "remora.podAnnotations" -}}
{{- $document := include "remora.givenDocument" (dict "root" . "role" "gateway") | fromYaml }}
{{- $port := include "remora.probePortOf" (dict "document" $document "role" "gateway") }}
{{- $given := include "remora.tplmap" (dict "root" . "map" (.Values.gateway.podAnnotations | default dict)) | fromYaml }}
{{- if hasKey $given "checksum/start" }}
{{- fail "gateway.podAnnotations: checksum/start is the chart's own, which replaces pods when their document asks for it" }}
{{- end }}
{{- /* Of what the program reads at its start alone; all else is loaded again without a restart. */}}
{{- $start := pick (include "remora.document" (dict "root" . "role" "gateway") | fromYaml) "listen" "grpc" "tls" "mode" "policy_files" | toJson | sha256sum }}
{{- $ours := dict "checksum/start" $start "kubectl.kubernetes.io/default-container" "remora" }}
{{- include "remora.over" (list (include "remora.meshAnnotations" $port | fromYaml) $ours $given) }}
{{- end }}

{{/* Of pods with the sidecar of this installation, and of no other: a release may hold the chart twice, and two namespaces each a release
     of one name. */}}
{{- define "remora.sidecarLabels" -}}
remora.dev/sidecar: "true"
remora.dev/release: {{ include "remora.fullname" . | quote }}
remora.dev/release-namespace: {{ .Release.Namespace | quote }}
{{- end }}

{{/* A pod template's fragment with the sidecar, ready to be pasted or to be a patch. */}}
{{- define "remora.sidecarPod" -}}
metadata:
  labels:
    {{- include "remora.sidecarLabels" . | nindent 4 }}
  annotations:
    # A mesh must not capture the port that the kubelet and Prometheus ask.
    {{- include "remora.meshAnnotations" (include "remora.probePort" .) | nindent 4 }}
spec:
  initContainers:
    - {{ include "remora.container" (dict "root" . "role" "sidecar") | nindent 6 | trim }}
  volumes:
    {{- include "remora.volumes" (dict "root" . "role" "sidecar") | nindent 4 }}
{{- end }}

{{- define "remora.probePort" -}}
{{- include "remora.probePortOf" (dict "document" (include "remora.givenDocument" (dict "root" . "role" "sidecar") | fromYaml) "role" "sidecar") }}
{{- end }}

{{/* Where a listener of the sidecar is called: HOST:PORT, unix:PATH or off. (dict "root" $ "listener" NAME "default" PORT) */}}
{{- define "remora.place" -}}
{{- $document := include "remora.givenDocument" (dict "root" .root "role" "sidecar") | fromYaml }}
{{- $stated := get ($document.listen | default dict) .listener | default (printf "127.0.0.1:%s" .default) -}}
{{- $stated | replace "0.0.0.0:" "127.0.0.1:" | replace "[::]:" "[::1]:" }}
{{- end }}

{{- define "remora.httpPlace" -}}
{{- include "remora.place" (dict "root" . "listener" "http" "default" "7360") }}
{{- end }}

{{- define "remora.grpcPlace" -}}
{{- include "remora.place" (dict "root" . "listener" "grpc" "default" "7361") }}
{{- end }}

{{/* "true" where a listener of the sidecar speaks TLS: beyond loopback, with `tls` in its document. Same arguments but for the default. */}}
{{- define "remora.placeHasTls" -}}
{{- $document := include "remora.givenDocument" (dict "root" .root "role" "sidecar") | fromYaml }}
{{- $stated := get ($document.listen | default dict) .listener | default "localhost:1" }}
{{- if and $document.tls (not (regexMatch "^(off$|unix:|localhost:|127\\.|\\[::1\\]:)" $stated)) }}true{{ end }}
{{- end }}

{{- define "remora.httpScheme" -}}
{{- include "remora.placeHasTls" (dict "root" . "listener" "http") | empty | ternary "http" "https" }}
{{- end }}

{{/* The same for people. */}}
{{- define "remora.places" -}}
{{- $http := include "remora.httpPlace" . }}
{{- $isAddress := not (or (eq $http "off") (hasPrefix "unix:" $http)) -}}
{{ $isAddress | ternary (printf "%s://%s/v1" (include "remora.httpScheme" .) $http) $http }} (OpenAI, OpenRouter)
{{ include "remora.grpcPlace" . }} (gRPC{{ if include "remora.placeHasTls" (dict "root" . "listener" "grpc") }} over TLS{{ end }})
{{- end }}

{{/* What the application's containers need to find it. */}}
{{- define "remora.appEnv" -}}
{{- $document := include "remora.givenDocument" (dict "root" . "role" "sidecar") | fromYaml }}
{{- $http := include "remora.httpPlace" . }}
{{- $grpc := include "remora.grpcPlace" . }}
{{- if or (hasPrefix "unix:" $http) (hasPrefix "unix:" $grpc) }}
# A socket is reached where its folder is mounted into both containers (sidecar.extraVolumes, extraVolumeMounts).
{{- if not .Values.openshift }}
# It is open to user and group 65532: an application of another user needs `fsGroup` in the pod's securityContext.
{{- end }}
{{- end }}
{{- $hasUrl := not (or (eq $http "off") (hasPrefix "unix:" $http)) }}
{{- $scheme := include "remora.httpScheme" . }}
{{- if and $hasUrl (eq $scheme "https") }}
# Beyond loopback it speaks TLS, on this address too: clients need its authority, and a certificate that has this name.
{{- end }}
{{- if $hasUrl }}
- name: REMORA_HTTP_URL
  value: {{ printf "%s://%s" $scheme $http | quote }}
{{- else if ne $http "off" }}
# HTTP is at {{ $http }}: a client takes the path of a socket as its transport, and no variable names that.
{{- end }}
{{- if include "remora.placeHasTls" (dict "root" . "listener" "grpc") }}
# gRPC speaks TLS there.
{{- end }}
{{- if ne $grpc "off" }}
- name: REMORA_GRPC_TARGET
  value: {{ $grpc | quote }}
{{- end }}
{{- if $hasUrl }}
{{- if $document.keys }}
# The OpenAI SDKs read this. The sidecar's document has `keys`: give OPENAI_API_KEY one of them, from a Secret.
{{- else }}
# The OpenAI SDKs read these two. The sidecar ignores the key.
{{- end }}
- name: OPENAI_BASE_URL
  value: {{ printf "%s://%s/v1" $scheme $http | quote }}
{{- if not $document.keys }}
- name: OPENAI_API_KEY
  value: unused
{{- end }}
{{- end }}
{{- end }}

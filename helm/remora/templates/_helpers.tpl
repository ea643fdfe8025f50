{{/* Names, labels and the document. Everything here is a function of the values alone: no lookup, no random, no time. */}}

{{- define "remora.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 46 characters: a Service has at most 63, and ours end in -gateway-headless. One that is cut ends in a hash of the whole, for
     what is cut off may be all that tells two uses of the chart in one release apart. */}}
{{- define "remora.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- $whole := printf "%s-%s" .Release.Name $name }}
{{- if .Values.fullnameOverride }}
{{- $whole = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $whole = .Release.Name }}
{{- end }}
{{- if gt (len $whole) 46 }}
{{- $whole = printf "%s-%s" ($whole | trunc 37 | trimSuffix "-" | trimSuffix ".") ($whole | sha256sum | trunc 8) }}
{{- end }}
{{- $whole | trimSuffix "-" }}
{{- end }}

{{- define "remora.hasSidecar" -}}
{{- if ne .Values.mode "gateway" }}true{{ end }}
{{- end }}

{{- define "remora.hasGateway" -}}
{{- if ne .Values.mode "sidecar" }}true{{ end }}
{{- end }}

{{/* What never changes during the life of a release: selectors are immutable. */}}
{{- define "remora.selectorLabels" -}}
app.kubernetes.io/name: {{ include "remora.name" . | toYaml }}
app.kubernetes.io/instance: {{ .Release.Name | toYaml }}
{{- end }}

{{/* A list of maps as one: the later win, an empty text too, which `merge` and `mergeOverwrite` take for none. */}}
{{- define "remora.over" -}}
{{- $all := dict }}
{{- range $map := . }}
{{- range $key, $value := $map }}
{{- $_ := set $all $key $value }}
{{- end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{/* (dict "root" $ "component" NAME ["labels" {}]): one map, in which the values' own labels win and no key stands twice. */}}
{{- define "remora.labels" -}}
{{- $ours := dict "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-") }}
{{- $_ := set $ours "app.kubernetes.io/name" (include "remora.name" .root) }}
{{- $_ := set $ours "app.kubernetes.io/instance" .root.Release.Name }}
{{- $_ := set $ours "app.kubernetes.io/component" .component }}
{{- $_ := set $ours "app.kubernetes.io/version" .root.Chart.AppVersion }}
{{- $_ := set $ours "app.kubernetes.io/part-of" "remora" }}
{{- $_ := set $ours "app.kubernetes.io/managed-by" .root.Release.Service }}
{{- include "remora.over" (list $ours .root.Values.commonLabels .labels) }}
{{- end }}

{{/* metadata of an object: (dict "root" $ "name" NAME "component" NAME ["labels" {}] ["annotations" {}]) */}}
{{- define "remora.metadata" -}}
name: {{ .name | toYaml }}
namespace: {{ .root.Release.Namespace | toYaml }}
labels:
  {{- include "remora.labels" . | nindent 2 }}
{{- with include "remora.over" (list .root.Values.commonAnnotations .annotations) | fromYaml }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A value in which templates are filled in, a map, a list or text: (dict "root" $ "value" VALUE) */}}
{{- define "remora.tplvalues" -}}
{{- tpl (kindIs "string" .value | ternary .value (toYaml .value)) .root }}
{{- end }}

{{/* A map of texts, templates in names and texts filled in; what comes out is text, whatever it looks like: (dict "root" $ "map" {}) */}}
{{- define "remora.tplmap" -}}
{{- $found := dict }}
{{- range $name, $text := .map }}
{{- $_ := set $found (tpl $name $.root) (tpl $text $.root) }}
{{- end }}
{{- toYaml $found }}
{{- end }}

{{/* YAML that is read again in another template. Helm's fromYaml does not fail on what it cannot read: it returns {"Error": why}, which
     would be rendered in place of what was given: (dict "text" YAML "what" VALUE) */}}
{{- define "remora.sound" -}}
{{- $read := fromYaml .text }}
{{- if eq (keys $read | join " ") "Error" }}
{{- fail (printf "%s cannot be read as YAML: %s" .what $read.Error) }}
{{- end }}
{{- .text }}
{{- end }}

{{- define "remora.image" -}}
{{- $image := .Values.image }}
{{- $tag := $image.tag | default .Chart.AppVersion }}
{{- if eq $tag "latest" }}
{{- fail "image.tag: `latest` is never the same image twice; name a version or a digest" }}
{{- end }}
{{- with .Values.global.imageRegistry | default $image.registry }}{{ trimSuffix "/" . }}/{{ end }}{{ $image.repository }}:{{ $tag }}
{{- with $image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "remora.policyName" -}}
{{- index .root.Values.policy .layer "name" | default (printf "%s-policy-%s" (include "remora.fullname" .root) .layer) }}
{{- end }}

{{/* The layers that a role mounts: "mesh namespace service" of those that are enabled. The gateway serves many namespaces and
     services; their layers stand in its document. A test has a document of its own. */}}
{{- define "remora.layers" -}}
{{- $found := list }}
{{- $of := dict "sidecar" (list "mesh" "namespace" "service") "gateway" (list "mesh") "test" list }}
{{- range $layer := get $of .role }}
{{- if index $.root.Values.policy $layer "enabled" }}{{ $found = append $found $layer }}{{ end }}
{{- end }}
{{- join " " $found }}
{{- end }}

{{- define "remora.config" -}}
{{- include "remora.sound" (dict "text" (toYaml .Values.config) "what" "config") }}
{{- end }}

{{/* Keys of `config` that the sidecar's document is without: of one document for both, the mode and the ways in are the gateway's. Their
     files are mounted there alone, and on loopback nobody is asked for a key. */}}
{{- define "remora.gatewaysOwn" -}}
{{- $found := list }}
{{- if and (eq .Values.mode "both") (not .Values.gateway.config) }}
{{- range $key := list "keys" "tls" "mode" }}
{{- if hasKey $.Values.config $key }}{{ $found = append $found $key }}{{ end }}
{{- end }}
{{- end }}
{{- join " " $found }}
{{- end }}

{{- define "remora.service" -}}
{{- $config := include "remora.config" . | fromYaml }}
{{- .Values.sidecar.service | default $config.service | default (include "remora.fullname" .) }}
{{- end }}

{{/* A layer has one source: what the program would refuse is refused here, with the value's name. */}}
{{- define "remora.checkLayers" -}}
{{- $name := eq .role "gateway" | ternary "gateway.config" "config" }}
{{- if and (include "remora.layers" .) (hasKey .document "policy_files") }}
{{- fail (printf "%s.policy_files: the chart writes it from `policy`; disable the layers there to write it yourself" $name) }}
{{- end }}
{{- range $layer := splitList " " (include "remora.layers" .) }}
{{- if and (eq $layer "mesh") (hasKey $.document "policy") }}
{{- fail (printf "%s.policy and policy.mesh are two sources of one layer: move it to policy.mesh.content, or set policy.mesh.enabled=false" $name) }}
{{- end }}
{{- if and (eq $layer "service") (hasKey ($.document.services | default dict) (include "remora.service" $.root)) }}
{{- fail (printf "%s.services.%s and policy.service are two sources of one layer: move it to policy.service.content, or set policy.service.enabled=false" $name (include "remora.service" $.root)) }}
{{- end }}
{{- if and (eq $layer "namespace") (hasKey ($.document.namespaces | default dict) $.root.Release.Namespace) }}
{{- fail (printf "%s.namespaces.%s and policy.namespace are two sources of one layer: move it to policy.namespace.content, or set policy.namespace.enabled=false" $name $.root.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}

{{/* What is written is mounted somewhere: a policy that is dropped in silence restricts nobody. */}}
{{- define "remora.checkUse" -}}
{{- if and (include "remora.hasGateway" .) (not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" (include "remora.fullname" .))) }}
{{- fail (printf "%s cannot be the beginning of a Service's name, which has letters, digits and - alone and begins with a letter: set fullnameOverride" (include "remora.fullname" .)) }}
{{- end }}
{{- if not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" (include "remora.fullname" .)) }}
{{- fail (printf "%s cannot be the beginning of a name, which has small letters, digits, - and . alone: set fullnameOverride (a parent chart's alias may have capitals)" (include "remora.fullname" .)) }}
{{- end }}
{{- if and .Values.gateway.config (not (include "remora.hasGateway" .)) }}
{{- fail "gateway.config would go nowhere: mode sidecar has no gateway; the sidecar's document is `config`" }}
{{- end }}
{{- if and (include "remora.hasGateway" .) (eq (int .Values.gateway.service.httpPort) (int .Values.gateway.service.grpcPort)) }}
{{- fail (printf "gateway.service.httpPort and grpcPort are both %d: a Service has a port once" (int .Values.gateway.service.httpPort)) }}
{{- end }}
{{- range $role := list "sidecar" "gateway" }}
{{- range index $.Values $role "extraEnv" }}
{{- if has .name (list "REMORA_NAMESPACE" "REMORA_SERVICE") }}
{{- fail (printf "%s.extraEnv: %s is the chart's own (sidecar.service, the pod's namespace, a gateway's config.namespace)" $role .name) }}
{{- end }}
{{- end }}
{{- end }}
{{- with .Values.credentials.defaultMode }}
{{- if has (mod . 8 | int) (list 2 3 6 7) }}
{{- fail (printf "credentials.defaultMode is %d (%04o): a key that everybody may write is refused by the program" (int .) (int .)) }}
{{- end }}
{{- end }}
{{- $role := include "remora.hasSidecar" . | empty | ternary "gateway" "sidecar" }}
{{- $mounted := include "remora.layers" (dict "root" . "role" $role) | splitList " " }}
{{- range $layer := list "mesh" "namespace" "service" }}
{{- $policy := index $.Values.policy $layer }}
{{- if and $policy.content (not $policy.enabled) }}
{{- fail (printf "policy.%s.content would go nowhere: policy.%s.enabled is false" $layer $layer) }}
{{- else if and $policy.content (not (has $layer $mounted)) }}
{{- fail (printf "policy.%s.content would go nowhere: the gateway serves many and mounts the mesh layer alone; move it to config.%ss.NAME" $layer $layer) }}
{{- else if and $policy.content (not $policy.create) }}
{{- fail (printf "policy.%s.content would go nowhere: policy.%s.create is false" $layer $layer) }}
{{- end }}
{{- end }}
{{- include "remora.checkLayerNames" (dict "root" . "layers" $mounted) }}
{{- end }}

{{/* Of two ConfigMaps with one name the server keeps the one that comes last, and a layer that is read from another's restricts as the
     other does: (dict "root" $ "layers" [NAME...]), those that are mounted. */}}
{{- define "remora.checkLayerNames" -}}
{{- $taken := dict }}
{{- range $end := list "config" "gateway-config" "test" "sidecar" "dashboard" }}
{{- $_ := set $taken (printf "%s-%s" (include "remora.fullname" $.root) $end) "the chart's own ConfigMap" }}
{{- end }}
{{- range $layer := compact .layers }}
{{- $name := include "remora.policyName" (dict "root" $.root "layer" $layer) }}
{{- with get $taken $name }}
{{- fail (printf "policy.%s.name: %s is %s, too, and of two ConfigMaps with one name one is lost" $layer $name .) }}
{{- end }}
{{- $_ := set $taken $name (printf "that of policy.%s" $layer) }}
{{- end }}
{{- end }}

{{/* What the kubelet waits for has to be longer than what the program takes (its defaults: docs/configuration.md, `drain`). */}}
{{- define "remora.checkDrain" -}}
{{- $drain := .document.drain | default dict }}
{{- $delay := hasKey $drain "delay_ms" | ternary (get $drain "delay_ms") 5000 | int64 }}
{{- $grace := hasKey $drain "grace_ms" | ternary (get $drain "grace_ms") 25000 | int64 }}
{{- $seconds := .root.Values.gateway.terminationGracePeriodSeconds | int64 }}
{{- if le (mul $seconds 1000) (add $delay $grace) }}
{{- fail (printf "gateway.terminationGracePeriodSeconds (%d) has to be longer than the document's drain (delay_ms %d, grace_ms %d): streams would be cut off" $seconds $delay $grace) }}
{{- end }}
{{- end }}

{{/* The document of a role as it was given: (dict "root" $ "role" NAME) */}}
{{- define "remora.givenDocument" -}}
{{- if and (eq .role "gateway") .root.Values.gateway.config }}
{{- include "remora.sound" (dict "text" (toYaml .root.Values.gateway.config) "what" "gateway.config") }}
{{- else if eq .role "test" }}
{{- include "remora.testDocument" . }}
{{- else }}
{{- $document := include "remora.config" .root | fromYaml }}
{{- range $key := eq .role "sidecar" | ternary (include "remora.gatewaysOwn" .root) "" | splitList " " }}
{{- $_ := unset $document $key }}
{{- end }}
{{- toYaml $document }}
{{- end }}
{{- end }}

{{/* What the container is started with wins over the document, which must not say otherwise and be passed over in silence. */}}
{{- define "remora.checkOverruled" -}}
{{- $namespace := .root.Release.Namespace }}
{{- $stated := .document.namespace | default $namespace }}
{{- if and (eq .role "sidecar") (ne $stated $namespace) }}
{{- fail (printf "config.namespace is %s and the pods that mount this release's ConfigMaps are in %s: leave it out (a gateway's goes into gateway.config)" $stated $namespace) }}
{{- end }}
{{- if and (eq .role "sidecar") (ne (.document.mode | default "sidecar") "sidecar") }}
{{- fail (printf "config.mode is %s and the chart runs it as a sidecar, which keys of the document could leave the policy of its pod then: leave it out" .document.mode) }}
{{- end }}
{{- if eq .role "gateway" }}
{{- $name := .root.Values.gateway.config | empty | ternary "config" "gateway.config" }}
{{- if ne (.document.mode | default "gateway") "gateway" }}
{{- fail (printf "%s.mode is %s and the chart runs it as the gateway: leave it out" $name .document.mode) }}
{{- end }}
{{- range $listener := list "http" "grpc" }}
{{- if hasKey ($.document.listen | default dict) $listener }}
{{- fail (printf "%s.listen.%s: the gateway listens where its Service sends calls, on bindAddress; leave it out (mode both: `config` with it for the sidecars, `gateway.config` without)" $name $listener) }}
{{- end }}
{{- end }}
{{- if hasKey .document "workers" }}
{{- fail (printf "%s.workers and gateway.workers are two sources of one number: leave it out (mode both: `config` with it for the sidecars, `gateway.config` without)" $name) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The document of a role as it is mounted. */}}
{{- define "remora.document" -}}
{{- $document := include "remora.givenDocument" . | fromYaml }}
{{- include "remora.checkOverruled" (dict "root" .root "role" .role "document" $document) }}
{{- include "remora.checkLayers" (dict "root" .root "role" .role "document" $document) }}
{{- $files := dict }}
{{- range $layer := splitList " " (include "remora.layers" .) }}
{{- if $layer }}{{ $_ := set $files $layer (printf "/etc/remora/policy/%s/policy.yaml" $layer) }}{{ end }}
{{- end }}
{{- if $files }}{{ $_ := set $document "policy_files" $files }}{{ end }}
{{- if eq .role "gateway" }}
{{- if not (or $document.keys (get ($document.tls | default dict) "client_ca_file")) }}
{{- fail "the gateway needs gateway keys in its document (`keys: {NAME: {service: S, hash: {file: /etc/remora/keys/NAME}}}`) or client certificates (`tls.client_ca_file`): beyond loopback nobody is let in without one" }}
{{- end }}
{{- if and .root.Values.gateway.tlsSecret (not $document.tls) }}
{{- $_ := set $document "tls" (dict "cert_file" "/etc/remora/tls/tls.crt" "key_file" "/etc/remora/tls/tls.key") }}
{{- end }}
{{- $_ := set $document "mode" "gateway" }}
{{- end }}
{{- toYaml $document }}
{{- end }}

{{/* Whether the gateway's data ports speak TLS. */}}
{{- define "remora.hasTls" -}}
{{- $document := include "remora.givenDocument" (dict "root" . "role" "gateway") | fromYaml }}
{{- if or .Values.gateway.tlsSecret $document.tls }}true{{ end }}
{{- end }}

{{/* Port of a listener: what the document says, else the default; nothing where it has none (off, a socket).
     (dict "document" {} "listener" NAME "default" PORT) */}}
{{- define "remora.port" -}}
{{- $stated := get (.document.listen | default dict) .listener | default (printf "localhost:%s" .default) }}
{{- if regexMatch "^(\\[[0-9A-Fa-f:.]+\\]|[^:/\\[\\]]+):[0-9]+$" $stated }}
{{- regexFind "[0-9]+$" $stated | int }}
{{- end }}
{{- end }}

{{/* Port of the probes, which the kubelet and Prometheus have to reach: (dict "document" {} "role" NAME). The chart opens it on bindAddress,
     so that it has to be one, and nobody else's in the pod. */}}
{{- define "remora.probePortOf" -}}
{{- $port := include "remora.port" (dict "document" .document "listener" "probe" "default" "7362") | int }}
{{- if or (lt $port 1) (gt $port 65535) }}
{{- fail (printf "listen.probe is %s: the kubelet asks for the pod's health there, so that it needs HOST:PORT, of which the chart takes the port (and bindAddress)" .document.listen.probe) }}
{{- end }}
{{- $document := eq .role "gateway" | ternary (omit .document "listen") .document }}
{{- $others := dict "http" (include "remora.port" (dict "document" $document "listener" "http" "default" "7360")) }}
{{- $_ := set $others "grpc" (include "remora.port" (dict "document" $document "listener" "grpc" "default" "7361")) }}
{{- $_ := set $others "admin" (include "remora.port" (dict "document" .document "listener" "admin" "default" "7363")) }}
{{- range $listener, $other := $others }}
{{- if eq $port (int $other) }}
{{- fail (printf "listen.probe has port %d, which is the port of %s" $port $listener) }}
{{- end }}
{{- end }}
{{- $port }}
{{- end }}

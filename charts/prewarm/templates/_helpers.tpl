{{- define "prewarm.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is written behind it. */}}
{{- define "prewarm.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "prewarm.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "prewarm.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Every value is quoted: a release may be called y, or 1. */}}
{{- define "prewarm.selectorLabels" -}}
app.kubernetes.io/name: {{ include "prewarm.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{- define "prewarm.labels" -}}
{{- range $key, $value := .Values.commonLabels }}
{{ $key }}: {{ $value | quote }}
{{- end }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" | quote }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service | quote }}
{{ include "prewarm.selectorLabels" . }}
{{- end -}}

{{/* The metadata of an object: dict "root" $ "name" NAME, and "labels" and "annotations" where it has some. */}}
{{- define "prewarm.metadata" -}}
name: {{ .name | quote }}
namespace: {{ .root.Release.Namespace | quote }}
labels:
  {{- include "prewarm.labels" .root | trim | nindent 2 }}
  {{- range $key, $value := .labels }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
{{- with .annotations }}
annotations:
  {{- range $key, $value := . }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "prewarm.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "prewarm.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "prewarm.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "prewarm.scheme" -}}
{{- ternary "https" "http" (ne .Values.tls.existingSecret "") -}}
{{- end -}}

{{/* The name by which the API is reached in the cluster. */}}
{{- define "prewarm.host" -}}
{{- $service := printf "%s.%s.svc" (include "prewarm.fullname" .) .Release.Namespace -}}
{{- if .Values.tls.existingSecret -}}
{{- .Values.tls.serverName | default $service -}}
{{- else -}}
{{- $service -}}
{{- end -}}
{{- end -}}

{{- define "prewarm.configMapName" -}}
{{- .Values.existingConfigMap | default (include "prewarm.fullname" .) -}}
{{- end -}}
{{- define "prewarm.tokensSecret" -}}
{{- .Values.auth.existingSecret | default (printf "%s-tokens" (include "prewarm.fullname" .)) -}}
{{- end -}}
{{- define "prewarm.claimName" -}}
{{- .Values.persistence.existingClaim | default (include "prewarm.fullname" .) -}}
{{- end -}}

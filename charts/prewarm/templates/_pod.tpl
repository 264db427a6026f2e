{{/* Variables of the server, and of the verbs that somebody executes in its container. */}}
{{- define "prewarm.env" -}}
- name: PREWARM_SERVER_LISTEN
  value: ":8470"
- name: PREWARM_STATE_PATH
  value: /var/lib/prewarm/state
{{- if .Values.tls.existingSecret }}
- name: PREWARM_SERVER_TLS_CERT
  value: /run/secrets/prewarm/tls/tls.crt
- name: PREWARM_SERVER_TLS_KEY
  value: /run/secrets/prewarm/tls/tls.key
{{- with .Values.tls.clientCAKey }}
- name: PREWARM_SERVER_TLS_CLIENT_CA
  value: {{ printf "/run/secrets/prewarm/tls/%s" . | quote }}
{{- end }}
{{- with .Values.tls.caKey }}
- name: PREWARM_CA_FILE
  value: {{ printf "/run/secrets/prewarm/tls/%s" . | quote }}
{{- end }}
- name: PREWARM_URL
  value: {{ printf "https://%s:8470" (include "prewarm.host" .) | quote }}
{{- else }}
- name: PREWARM_SERVER_INSECURE
  value: "true"
- name: PREWARM_URL
  value: http://127.0.0.1:8470
{{- end }}
{{- if hasKey (fromJson (include "prewarm.tokens" .)) "admin" }}
- name: PREWARM_TOKEN_FILE
  value: /run/secrets/prewarm/tokens/admin
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "prewarm.volumeMounts" -}}
- {name: config, mountPath: /etc/prewarm, readOnly: true}
- {name: state, mountPath: /var/lib/prewarm}
- {name: tmp, mountPath: /tmp}
{{- if fromJson (include "prewarm.tokens" .) }}
- {name: tokens, mountPath: /run/secrets/prewarm/tokens, readOnly: true}
{{- end }}
{{- if .Values.tls.existingSecret }}
- {name: tls, mountPath: /run/secrets/prewarm/tls, readOnly: true}
{{- end }}
{{- range $folder, $_ := .Values.secrets }}
- {name: {{ printf "secret-%s" $folder | quote }}, mountPath: {{ printf "/run/secrets/prewarm/%s" $folder | quote }}, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Files of secrets are readable by the group of the pod, and by nobody else. */}}
{{- define "prewarm.volumes" -}}
- name: config
  configMap: {name: {{ include "prewarm.configMapName" . | quote }}}
- name: state
  {{- if .Values.persistence.enabled }}
  persistentVolumeClaim: {claimName: {{ include "prewarm.claimName" . | quote }}}
  {{- else }}
  emptyDir: {}
  {{- end }}
- name: tmp
  emptyDir: {}
{{- if fromJson (include "prewarm.tokens" .) }}
- name: tokens
  secret: {secretName: {{ include "prewarm.tokensSecret" . | quote }}, defaultMode: 0440}
{{- end }}
{{- with .Values.tls.existingSecret }}
- name: tls
  secret: {secretName: {{ . | quote }}, defaultMode: 0440}
{{- end }}
{{- range $folder, $secret := .Values.secrets }}
- name: {{ printf "secret-%s" $folder | quote }}
  secret: {secretName: {{ $secret.existingSecret | default (printf "%s-%s" (include "prewarm.fullname" $) $folder) | quote }}, defaultMode: 0440}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

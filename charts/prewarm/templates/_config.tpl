{{/* All tokens by name, with what the configuration says of each, as JSON. */}}
{{- define "prewarm.tokens" -}}
{{- $tokens := dict -}}
{{- range $name, $token := .Values.auth.tokens -}}
{{- if $token -}}{{- $_ := set $tokens $name $token -}}{{- end -}}
{{- end -}}
{{- if and .Values.serviceMonitor.enabled (not (hasKey $tokens "prometheus")) -}}
{{- $_ := set $tokens "prometheus" (dict "scopes" (list "read")) -}}
{{- end -}}
{{- toJson $tokens -}}
{{- end -}}

{{/* What prewarm.yaml says: the values, and the tokens that the chart knows. */}}
{{- define "prewarm.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $auth := deepCopy ($config.auth | default dict) -}}
{{- $list := $auth.tokens | default list -}}
{{- range $name, $token := fromJson (include "prewarm.tokens" .) -}}
{{- $list = append $list (merge (dict "name" $name "token_file" (printf "/run/secrets/prewarm/tokens/%s" $name)) $token) -}}
{{- end -}}
{{- if $list -}}
{{- $_ := set $auth "tokens" $list -}}
{{- $_ := set $config "auth" $auth -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* What of the configuration takes effect at the next start only, with the content of its files where the chart
knows it. The rest of that kind is in the environment, and so in the pod itself. */}}
{{- define "prewarm.readAtStart" -}}
{{- $runner := .Values.config.runner | default dict -}}
{{- $found := dict "forward" ($runner.forward | default list) "key" ($runner.secret_key_file | default "") -}}
{{- range $folder, $secret := .Values.secrets -}}
{{- range $file, $text := ($secret).data -}}
{{- if eq (printf "/run/secrets/prewarm/%s/%s" $folder $file) ($runner.secret_key_file | default "") -}}
{{- $_ := set $found "content" $text -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* Refuses what can't work, before it is tried. */}}
{{- define "prewarm.refuse" -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- fail (printf "replicas is %d: Prewarm is one server with its state on one volume, and a second would only wait for it; set replicas to 1" (int .Values.replicas)) -}}
{{- end -}}
{{- if .Values.state.postgres -}}
{{- fail "state.postgres is set: Prewarm keeps its state in SQLite on a volume and has no PostgreSQL yet; take state.postgres out and use persistence" -}}
{{- end -}}
{{- $name := include "prewarm.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $name) -}}
{{- fail (printf "this release would be called %s, and Kubernetes wants of a Service's name a letter first, then a-z 0-9 - and no dot; set fullnameOverride to one, or take another name for the release" $name) -}}
{{- end -}}
{{- range $key := list "listen" "tls" "insecure" -}}
{{- if hasKey ($.Values.config.server | default dict) $key -}}
{{- fail (printf "config.server.%s is set: the chart sets it, by service and tls.existingSecret; take config.server.%s out" $key $key) -}}
{{- end -}}
{{- end -}}
{{- if hasKey (.Values.config.state | default dict) "path" -}}
{{- fail "config.state.path is set: the chart keeps the state on the volume of persistence; take config.state.path out" -}}
{{- end -}}
{{- /* config.runner.logs is set by the chart's own values. */ -}}
{{- $own := keys (omit .Values.config "runner") -}}
{{- range $key, $_ := omit (.Values.config.runner | default dict) "logs" -}}
{{- $own = append $own (printf "runner.%s" $key) -}}
{{- end -}}
{{- if and .Values.existingConfigMap $own -}}
{{- fail (printf "existingConfigMap and config.%s are both set: the configuration comes from one of them; take one out" (first (sortAlpha $own))) -}}
{{- end -}}
{{- range $token := (.Values.config.auth).tokens -}}
{{- if hasKey (fromJson (include "prewarm.tokens" $)) $token.name -}}
{{- fail (printf "config.auth.tokens and auth.tokens both have a token %s; rename one" $token.name) -}}
{{- end -}}
{{- end -}}
{{- range $name, $_ := .Values.auth.tokens -}}
{{- if not (regexMatch "^[a-z0-9][a-z0-9.-]{0,62}$" $name) -}}
{{- fail (printf "auth.tokens.%s: a token's name is 1 to 63 of a-z 0-9 . -, the first a letter or a digit" $name) -}}
{{- end -}}
{{- end -}}
{{- range $folder, $secret := .Values.secrets -}}
{{- if not (regexMatch "^[a-z0-9]([a-z0-9-]{0,48}[a-z0-9])?$" $folder) -}}
{{- fail (printf "secrets.%s: a folder's name is 1 to 50 of a-z 0-9 -, the first and the last a letter or a digit, for a volume is called after it" $folder) -}}
{{- end -}}
{{- if has $folder (list "tokens" "tls") -}}
{{- fail (printf "secrets.%s: the folders tokens and tls are the chart's own; choose another name" $folder) -}}
{{- end -}}
{{- range $file, $_ := $secret.data -}}
{{- if not (regexMatch "^[-._a-zA-Z0-9]+$" $file) -}}
{{- fail (printf "secrets.%s.data: a file's name is of letters, digits and - . _, as the key of a Secret; %q is not" $folder $file) -}}
{{- end -}}
{{- end -}}
{{- if eq (empty ($secret).data) (empty ($secret).existingSecret) -}}
{{- fail (printf "secrets.%s needs either data or existingSecret" $folder) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.enabled needs at least one name in ingress.hosts: without one it would answer for every name of the controller" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.enabled needs at least one Gateway in httpRoute.parentRefs" -}}
{{- end -}}
{{- if and .Values.tls.clientCAKey (not .Values.tls.existingSecret) -}}
{{- fail "tls.clientCAKey is set without tls.existingSecret: callers show certificates over TLS only" -}}
{{- end -}}
{{- end -}}

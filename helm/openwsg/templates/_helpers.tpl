{{- define "openwsg.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "openwsg.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "openwsg.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Selector labels cannot change over the life of the objects: no version, no chart. */ -}}
{{- define "openwsg.selectorLabels" -}}
app.kubernetes.io/name: {{ include "openwsg.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "openwsg.labels" -}}
{{ include "openwsg.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "openwsg.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "openwsg.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "openwsg.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) -}}
{{- end -}}
{{- end -}}

{{- /* The configuration that the chart makes where none is given. */ -}}
{{- define "openwsg.minimalConfiguration" -}}
{{- $listen := dict "name" "default" "address" .Values.management.address -}}
{{- $system := dict
      "netconf" (dict "ssh" (dict "listen" (list (merge (dict "port" (int .Values.management.netconfPort)) $listen))))
      "metrics" (dict "listen" (list (merge (dict "port" (int .Values.management.metricsPort)) $listen))) -}}
{{- if .Values.management.adminKey.existingSecret -}}
{{- $_ := set $system "user" (list (dict "name" "admin" "authorized-key" (list "@ADMIN_AUTHORIZED_KEY@"))) -}}
{{- end -}}
{{- dict "openwsg-gateway:gateway" (dict "openwsg-system:system" $system) | toPrettyJson -}}
{{- end -}}

{{- /* The text of the first configuration that the chart keeps, or nothing where an existing object has it. */ -}}
{{- define "openwsg.configuration" -}}
{{- if not (or .Values.configuration.existingConfigMap .Values.configuration.existingSecret) -}}
{{- if .Values.configuration.text -}}
{{- .Values.configuration.text -}}
{{- else if .Values.configuration.data -}}
{{- .Values.configuration.data | toPrettyJson -}}
{{- else -}}
{{- include "openwsg.minimalConfiguration" . -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "openwsg.configurationFile" -}}
{{- if hasPrefix "<" (trim .Values.configuration.text) -}}first.xml{{- else -}}first.json{{- end -}}
{{- end -}}

{{- /* The value of a probe: its settings over the HTTP path. */ -}}
{{- define "openwsg.probe" -}}
httpGet:
  path: {{ .path }}
  port: metrics
{{ toYaml .settings }}
{{- end -}}

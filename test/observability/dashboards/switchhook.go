package dashboards

// chosen keeps to the vendors and tenants that the reader chose.
const chosen = `vendor=~"$vendor", tenant=~"$tenant"`

func all() []dashboard {
	return []dashboard{overview(), ingress(), agents(), nats(), browser()}
}

func overview() dashboard {
	return dashboard{
		uid: "switchhook-overview", title: "Switchhook: overview", about: "Whether it works, in one look.",
		rows: []row{
			{"Now", []panel{
				{
					title: "Replicas that can work", kind: "stat", about: "Of each service. A service with none does nothing.",
					queries: one(`sum by (service) (switchhook_ready)`, "{{service}}"),
				},
				{
					title: "Webhooks refused", kind: "stat", unit: "ops", red: .001, about: "Answered 503: exchanges lose these events.",
					queries: one(`sum(rate(switchhook_ingress_requests_total{outcome="unavailable"}[5m]))`, "refused"),
				},
				{
					title: "Waiting on disk", kind: "stat", red: 1, about: "Webhooks in the spools, for JetStream to take them.",
					queries: one(`sum(switchhook_spool_records)`, "webhooks"),
				},
				{
					title: "Given up within a day", kind: "stat", red: 1, about: "Messages about missed calls that reached nobody.",
					queries: one(`sum(increase(switchhook_missed_call_alerts_total{outcome="dropped"}[1d]))`, "messages"),
				},
			}},
			{"The way of an event", []panel{
				{
					title: "Webhooks by outcome", unit: "ops", stacked: true,
					queries: one(`sum by (outcome) (rate(switchhook_ingress_requests_total{`+chosen+`}[$__rate_interval]))`, "{{outcome}}"),
				},
				{
					title: "Webhook to answer", unit: "s", about: "What an exchange waits.",
					queries: quantiles("switchhook_ingress_request_seconds", `vendor=~"$vendor"`, ""),
				},
				{
					title: "Webhook to contact", unit: "s", about: "Until the stream has who calls.",
					queries: quantiles("switchhook_contact_lookup_webhook_to_contact_seconds", "", ""),
				},
				{
					title: "Webhook to browser", unit: "s", red: 1, about: "Until the frame is written to the page's socket.",
					queries: quantiles("switchhook_web_gateway_frame_latency_seconds", "", ""),
				},
			}},
			{"What comes of it", []panel{
				{title: "Missed calls and states", unit: "ops", queries: []query{
					{`sum(rate(switchhook_missed_call_entries_total[$__rate_interval]))`, "missed calls, opened and changed"},
					{`sum(rate(switchhook_agent_state_transitions_total[$__rate_interval]))`, "agents' states"},
				}},
				{
					title: "Commands by outcome", unit: "ops", stacked: true,
					queries: one(`sum by (outcome) (rate(switchhook_command_relay_commands_total{`+chosen+`}[$__rate_interval]))`, "{{outcome}}"),
				},
				{
					title: "Messages to people by outcome", unit: "ops", stacked: true,
					queries: one(`sum by (outcome) (rate(switchhook_missed_call_alerts_total{tenant=~"$tenant"}[$__rate_interval]))`, "{{outcome}}"),
				},
				{
					title: "Into the quarantine", about: "Within an hour, by why.",
					queries: one(`sum by (service, cause) (increase(switchhook_quarantined_total{`+chosen+`}[1h]))`, "{{service}}: {{cause}}"),
				},
			}},
			{"Processes", []panel{
				{
					title: "CPU", about: "Cores in use.",
					queries: one(`rate(process_cpu_seconds_total[$__rate_interval]) * on (job, instance) group_left (service) switchhook_build_info`, "{{service}} {{instance}}"),
				},
				{
					title: "Memory", unit: "bytes",
					queries: one(`process_resident_memory_bytes * on (job, instance) group_left (service) switchhook_build_info`, "{{service}} {{instance}}"),
				},
				{
					title:   "Goroutines",
					queries: one(`go_goroutines * on (job, instance) group_left (service) switchhook_build_info`, "{{service}} {{instance}}"),
				},
				{
					title: "Versions", about: "Two of one service during an upgrade only.",
					queries: one(`count by (service, version) (switchhook_build_info)`, "{{service}} {{version}}"),
				},
			}},
		},
	}
}

func ingress() dashboard {
	return dashboard{
		uid: "switchhook-ingress", title: "Switchhook: ingress", about: "What exchanges report, and what becomes of it.",
		rows: []row{
			{"Requests", []panel{
				{
					title: "By vendor and tenant", unit: "ops", stacked: true, about: "The tenant is empty where the credentials were wrong.",
					queries: one(`sum by (vendor, tenant) (rate(switchhook_ingress_requests_total{`+chosen+`}[$__rate_interval]))`, "{{vendor}} {{tenant}}"),
				},
				{
					title: "By outcome", unit: "ops", stacked: true,
					queries: one(`sum by (outcome) (rate(switchhook_ingress_requests_total{`+chosen+`}[$__rate_interval]))`, "{{outcome}}"),
				},
				{
					title: "Refused or not understood", unit: "ops",
					queries: one(`sum by (vendor, outcome) (rate(switchhook_ingress_requests_total{vendor=~"$vendor", outcome!~"stored|empty|answered"}[$__rate_interval]))`, "{{vendor}} {{outcome}}"),
				},
			}},
			{"Time", []panel{
				{title: "Request to answer", unit: "s", queries: quantiles("switchhook_ingress_request_seconds", `vendor=~"$vendor"`, "vendor")},
				{
					title: "Under way", about: "Requests that are being read, stored or answered.",
					queries: one(`sum by (vendor) (switchhook_ingress_requests_under_way{vendor=~"$vendor"})`, "{{vendor}}"),
				},
				{
					title: "Publish to acknowledgement", unit: "s",
					queries: quantiles("switchhook_bus_publish_seconds", `stream="PBX_EVENTS"`, ""),
				},
			}},
			{"Spool: webhooks that JetStream has not taken", []panel{
				{title: "Webhooks waiting", red: 1, queries: one(`sum by (instance) (switchhook_spool_records)`, "{{instance}}")},
				{
					title: "Size", unit: "percentunit", red: .8, about: "Of what the spool may hold. A full one refuses webhooks.",
					queries: one(`max by (instance) (switchhook_spool_bytes / switchhook_spool_max_bytes)`, "{{instance}}"),
				},
				{title: "In and out", unit: "ops", queries: []query{
					{`sum(rate(switchhook_spool_written_total[$__rate_interval]))`, "written to disk"},
					{`sum(rate(switchhook_spool_drained_total[$__rate_interval]))`, "taken by JetStream"},
					{`sum(rate(switchhook_spool_refused_total[$__rate_interval]))`, "refused by the spool"},
				}},
				{title: "Age of the oldest", unit: "s", queries: one(`max by (instance) (switchhook_spool_oldest_seconds)`, "{{instance}}")},
			}},
			{"What nobody understands", []panel{
				{
					title: "Into the quarantine", about: "Within an hour.",
					queries: one(`sum by (vendor, tenant, cause) (increase(switchhook_quarantined_total{`+chosen+`, service="ingress"}[1h]))`, "{{vendor}} {{tenant}}: {{cause}}"),
				},
				{
					title: "Unknown fields", about: "Within a day, the 20 most frequent. They are kept as attributes; a new one says that the vendor changed something.",
					queries: one(`topk(20, sum by (vendor, field) (increase(switchhook_ingress_unknown_fields_total{vendor=~"$vendor"}[1d])))`, "{{vendor}}: {{field}}"),
				},
			}},
		},
	}
}

func agents() dashboard {
	return dashboard{
		uid: "switchhook-people", title: "Switchhook: agents, contacts, missed calls, commands",
		about: "What is derived from events, who is told, and what people command.",
		rows: []row{
			{"Agents and missed calls", []panel{
				{
					title: "States of agents", unit: "ops", about: "By the replica that published them: the active one.",
					queries: one(`sum by (instance) (rate(switchhook_agent_state_transitions_total[$__rate_interval]))`, "{{instance}}"),
				},
				{
					title: "Missed calls", unit: "ops", about: "Opened, acknowledged and resolved, by the replica that published them.",
					queries: one(`sum by (instance) (rate(switchhook_missed_call_entries_total[$__rate_interval]))`, "{{instance}}"),
				},
				{
					title: "Derived and not published", about: "As the replica sees it that sees the least: what all have and nobody publishes.", red: 1,
					queries: []query{
						{`min(switchhook_agent_state_transitions_waiting)`, "agents' states"},
						{`min(switchhook_missed_call_entries_waiting)`, "missed calls"},
						{`min(switchhook_contact_lookup_contacts_waiting)`, "contacts"},
					},
				},
				{title: "Active for so many tenants", queries: []query{
					{`max by (instance) (switchhook_agent_state_active_tenants)`, "agent-state {{instance}}"},
					{`max by (instance) (switchhook_missed_call_active_tenants)`, "missed-call {{instance}}"},
				}},
			}},
			{"Replicas", []panel{
				{title: "Events read", unit: "ops", about: "Each replica reads all of them.", queries: []query{
					{`sum by (instance) (rate(switchhook_agent_state_events_total[$__rate_interval]))`, "agent-state {{instance}}"},
					{`sum by (instance) (rate(switchhook_missed_call_events_total[$__rate_interval]))`, "missed-call {{instance}}"},
				}},
				{
					title: "Conflicts", unit: "ops", about: "Another replica was faster. A few at a change of the active one; many of two that run with different settings.",
					queries: []query{
						{`sum by (instance) (rate(switchhook_agent_state_conflicts_total[$__rate_interval]))`, "agent-state {{instance}}"},
						{`sum by (instance) (rate(switchhook_missed_call_conflicts_total[$__rate_interval]))`, "missed-call {{instance}}"},
					},
				},
			}},
			{"Messages to people", []panel{
				{
					title: "By channel and outcome", unit: "ops",
					queries: one(`sum by (tenant, channel, outcome) (rate(switchhook_missed_call_alerts_total{tenant=~"$tenant"}[$__rate_interval]))`, "{{tenant}} {{channel}}: {{outcome}}"),
				},
				{title: "Due and not told", queries: one(`max(switchhook_missed_call_alerts_waiting)`, "messages")},
				{
					title: "Time of a channel", unit: "s",
					queries: one(`histogram_quantile(0.95, sum by (le, tenant, channel) (rate(switchhook_missed_call_alert_seconds_bucket{tenant=~"$tenant"}[$__rate_interval])))`, "p95 {{tenant}} {{channel}}"),
				},
			}},
			{"Contacts", []panel{
				{title: "Contacts of calls", unit: "ops", queries: one(`sum by (kind) (rate(switchhook_contact_lookup_contacts_total[$__rate_interval]))`, "{{kind}}")},
				{
					title: "Time of a directory", unit: "s",
					queries: one(`histogram_quantile(0.95, sum by (le, tenant, directory) (rate(switchhook_contact_lookup_directory_seconds_bucket{tenant=~"$tenant"}[$__rate_interval])))`, "p95 {{tenant}} {{directory}}"),
				},
				{
					title: "Answers of directories", unit: "ops", stacked: true,
					queries: one(`sum by (tenant, directory, outcome) (rate(switchhook_contact_lookup_directory_seconds_count{tenant=~"$tenant"}[$__rate_interval]))`, "{{tenant}} {{directory}}: {{outcome}}"),
				},
				{
					title: "Questions", unit: "s", about: "Asked by exchanges, other services and people.",
					queries: quantiles("switchhook_contact_lookup_question_seconds", "", ""),
				},
			}},
			{"Commands", []panel{
				{
					title: "By vendor and outcome", unit: "ops",
					queries: one(`sum by (vendor, action, outcome) (rate(switchhook_command_relay_commands_total{`+chosen+`}[$__rate_interval]))`, "{{vendor}} {{action}}: {{outcome}}"),
				},
				{
					title: "Time of an exchange", unit: "s",
					queries: one(`histogram_quantile(0.95, sum by (le, vendor, result) (rate(switchhook_command_relay_exchange_seconds_bucket{vendor=~"$vendor"}[$__rate_interval])))`, "p95 {{vendor}} {{result}}"),
				},
			}},
		},
	}
}

func nats() dashboard {
	return dashboard{
		uid: "switchhook-nats", title: "Switchhook: NATS and streams", about: "The only thing between the services.",
		rows: []row{
			{"Connections", []panel{
				{title: "Connected", about: "1 for each process that is.", queries: one(`switchhook_bus_connected * on (job, instance) group_left (service) switchhook_build_info`, "{{service}} {{instance}}")},
				{title: "Reconnects", about: "Within an hour.", queries: one(`sum by (instance) (increase(switchhook_bus_reconnects_total[1h]))`, "{{instance}}")},
			}},
			{"Publishing", []panel{
				{
					title: "By stream and outcome", unit: "ops",
					queries: one(`sum by (stream, outcome) (rate(switchhook_bus_publish_seconds_count[$__rate_interval]))`, "{{stream}}: {{outcome}}"),
				},
				{
					title: "Time to the acknowledgement", unit: "s",
					queries: one(`histogram_quantile(0.99, sum by (le, stream) (rate(switchhook_bus_publish_seconds_bucket{outcome="stored"}[$__rate_interval])))`, "p99 {{stream}}"),
				},
				{title: "Waiting for a commit", queries: one(`max by (instance) (switchhook_bus_publish_queue_events)`, "{{instance}}")},
				{
					title: "Events of a commit", about: "On average: how much one sync of the disk is shared.",
					queries: one(`sum by (instance) (rate(switchhook_bus_commit_events_sum[$__rate_interval])) / sum by (instance) (rate(switchhook_bus_commit_events_count[$__rate_interval]))`, "{{instance}}"),
				},
			}},
			{"Reading", []panel{
				{
					title: "Lag of durable consumers", about: "Messages that they have still to be sent; other teams' among them.",
					queries: one(`max by (stream, consumer) (switchhook_bus_consumer_pending_messages)`, "{{stream}} {{consumer}}"),
				},
				{
					title:   "Sent and not settled",
					queries: one(`max by (stream, consumer) (switchhook_bus_consumer_unacknowledged_messages)`, "{{stream}} {{consumer}}"),
				},
				{
					title:   "Lag of services that follow",
					queries: one(`max by (follower, instance) (switchhook_bus_follower_behind_events)`, "{{follower}} {{instance}}"),
				},
			}},
			{"Streams and buckets", []panel{
				{title: "Size", unit: "bytes", queries: one(`max by (stream) (switchhook_bus_stream_bytes)`, "{{stream}}")},
				{title: "Share of the limit", unit: "percentunit", red: .8, about: "Of the streams that have one.", queries: []query{
					{`max by (stream) (switchhook_bus_stream_bytes) / (max by (stream) (switchhook_bus_stream_max_bytes) > 0)`, "{{stream}}"},
					{`max(switchhook_bus_storage_bytes) / (max(switchhook_bus_storage_max_bytes) > 0)`, "the account"},
				}},
				{title: "Messages", queries: one(`max by (stream) (switchhook_bus_stream_messages)`, "{{stream}}")},
				{title: "Age of the oldest message", unit: "s", about: "Beside the age at which it is forgotten.", queries: []query{
					{`max by (stream) (switchhook_bus_stream_oldest_seconds)`, "{{stream}}"},
					{`max by (stream) (switchhook_bus_stream_max_age_seconds{stream="PBX_EVENTS"})`, "limit of {{stream}}"},
				}},
			}},
		},
	}
}

func browser() dashboard {
	return dashboard{
		uid: "switchhook-browser", title: "Switchhook: browser", about: "The pages of agents and supervisors.",
		rows: []row{
			{"Pages", []panel{
				{title: "Open WebSockets", queries: one(`sum by (instance) (switchhook_web_gateway_sockets)`, "{{instance}}")},
				{title: "Frames", unit: "ops", queries: one(`sum by (instance) (rate(switchhook_web_gateway_frames_total[$__rate_interval]))`, "{{instance}}")},
				{title: "Webhook to browser", unit: "s", red: 1, queries: quantiles("switchhook_web_gateway_frame_latency_seconds", "", "")},
			}},
			{"Trouble", []panel{
				{
					title: "Too slow", about: "Sockets closed within an hour, since their clients did not keep up.",
					queries: one(`sum by (instance) (increase(switchhook_web_gateway_slow_total[1h]))`, "{{instance}}"),
				},
				{
					title: "Closed by the gateway", about: "Within an hour, by the code of the close frame.",
					queries: one(`sum by (code) (increase(switchhook_web_gateway_closes_total[1h]))`, "{{code}}"),
				},
				{
					title: "Logins", about: "Within an hour, by outcome.",
					queries: one(`sum by (outcome) (increase(switchhook_web_gateway_logins_total[1h]))`, "{{outcome}}"),
				},
			}},
			{"API", []panel{
				{
					title: "Requests by operation", unit: "ops", stacked: true,
					queries: one(`sum by (operation) (rate(switchhook_web_gateway_requests_total[$__rate_interval]))`, "{{operation}}"),
				},
				{
					title: "Requests by status", unit: "ops", stacked: true,
					queries: one(`sum by (status) (rate(switchhook_web_gateway_requests_total[$__rate_interval]))`, "{{status}}"),
				},
				{title: "Streams of server-sent events", queries: one(`sum by (operation) (switchhook_web_gateway_streams)`, "{{operation}}")},
			}},
		},
	}
}

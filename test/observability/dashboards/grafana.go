// Package dashboards makes Grafana's dashboards of what Switchhook's services expose. The files in deploy/grafana are made of
// it; a test holds every query against a running Switchhook.
package dashboards

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// dashboard is one page: rows of panels, from left to right.
type dashboard struct {
	uid, title, about string
	rows              []row
}

type row struct {
	title  string
	panels []panel
}

// panel shows queries over time or, if it is a number, their last values.
type panel struct {
	title, about string
	unit         string // as Grafana calls it: s, bytes, ops …; empty: a count
	kind         string // empty: over time; stat or bargauge
	stacked      bool
	red          float64 // from where on it is red; 0: nowhere
	queries      []query
}

type query struct{ expr, legend string }

func one(expr, legend string) []query { return []query{{expr, legend}} }

// quantiles shows half, nearly all, and all but one in a hundred of a histogram.
func quantiles(metric, filter, by string) (all []query) {
	for _, q := range []string{"0.5", "0.95", "0.99"} {
		legend := "p" + strings.TrimPrefix(q+"0", "0.")[:2]
		group := "le"
		if by != "" {
			group, legend = "le, "+by, legend+" {{"+by+"}}"
		}
		all = append(all, query{
			fmt.Sprintf("histogram_quantile(%s, sum by (%s) (rate(%s_bucket{%s}[$__rate_interval])))", q, group, metric, filter), legend,
		})
	}
	return all
}

// columns is how wide Grafana's grid is.
const columns, height = 24, 8

// Files returns the dashboards by their files' names.
func Files() (map[string][]byte, error) {
	files := make(map[string][]byte)
	for _, d := range all() {
		var data bytes.Buffer
		encoder := json.NewEncoder(&data)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(d.model()); err != nil {
			return nil, fmt.Errorf("write dashboard %s: %w", d.uid, err)
		}
		files[d.uid+".json"] = data.Bytes()
	}
	return files, nil
}

type object = map[string]any

func (d dashboard) model() object {
	var panels []object
	y := 0
	for _, r := range d.rows {
		panels = append(panels, object{
			"id": len(panels) + 1, "type": "row", "title": r.title, "collapsed": false, "panels": []object{},
			"gridPos": object{"x": 0, "y": y, "w": columns, "h": 1},
		})
		y++
		width := columns / len(r.panels)
		for i, p := range r.panels {
			m := p.model()
			m["id"] = len(panels) + 1
			m["gridPos"] = object{"x": i * width, "y": y, "w": width, "h": height}
			panels = append(panels, m)
		}
		y += height
	}
	return object{
		"uid": d.uid, "title": d.title, "description": d.about, "tags": []string{"switchhook"}, "schemaVersion": 39, "version": 1,
		"editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "time": object{"from": "now-3h", "to": "now"},
		"links": []object{{"type": "dashboards", "title": "Switchhook", "tags": []string{"switchhook"}, "asDropdown": true, "keepTime": true}},
		"templating": object{"list": []object{
			{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
			variable("vendor"), variable("tenant"),
		}},
		"panels": panels,
	}
}

// variable lets the reader choose; what has no such label is shown whole.
func variable(label string) object {
	return object{
		"name": label, "type": "query", "label": label, "datasource": datasource(), "refresh": 2, "sort": 1,
		"query":      object{"qryType": 1, "query": "label_values(switchhook_ingress_requests_total, " + label + ")", "refId": label},
		"multi":      true,
		"includeAll": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"},
	}
}

func datasource() object { return object{"type": "prometheus", "uid": "${datasource}"} }

func (p panel) model() object {
	var targets []object
	for i, q := range p.queries {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "expr": q.expr, "legendFormat": q.legend, "datasource": datasource(), "range": true,
		})
	}
	steps := []object{{"color": "green", "value": nil}}
	custom := object{"fillOpacity": 10, "showPoints": "never", "lineWidth": 1}
	if p.red > 0 {
		steps = append(steps, object{"color": "red", "value": p.red})
		custom["thresholdsStyle"] = object{"mode": "line"}
	}
	if p.stacked {
		custom["stacking"] = object{"mode": "normal"}
	}
	kind, options := "timeseries", object{
		"legend":  object{"displayMode": "table", "placement": "bottom", "calcs": []string{"lastNotNull", "max"}},
		"tooltip": object{"mode": "multi", "sort": "desc"},
	}
	if p.kind != "" {
		kind, options = p.kind, object{"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "textMode": "value_and_name"}
	}
	unit := p.unit
	if unit == "" {
		unit = "short"
	}
	return object{
		"type": kind, "title": p.title, "description": p.about, "datasource": datasource(), "targets": targets, "options": options,
		"fieldConfig": object{"overrides": []object{}, "defaults": object{
			"unit": unit, "min": 0, "custom": custom, "thresholds": object{"mode": "absolute", "steps": steps},
		}},
	}
}

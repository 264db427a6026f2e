package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// connectionVariable is where Airflow's workers have the connection of the
// provider, for tasks that call the program themselves.
const connectionVariable = "AIRFLOW_CONN_PREWARM_DEFAULT"

// airflowConnection is what is taken of a connection.
type airflowConnection struct {
	url, token    string
	ca, cert, key string // files
}

// connectionFields are a connection as Airflow writes it.
type connectionFields struct {
	Type     string          `json:"conn_type"`
	Host     string          `json:"host"`
	Port     json.Number     `json:"port"`
	Schema   string          `json:"schema"`
	Password string          `json:"password"`
	Extra    json.RawMessage `json:"extra"`
}

// extra is of a connection what has no field of its own.
type extra struct {
	CA   string `json:"ca_cert"`
	Cert string `json:"client_cert"`
	Key  string `json:"client_key"`
}

// errConnection repeats nothing: there is a token in it.
var errConnection = errors.New("what is in " + connectionVariable + " is no connection of Airflow: write it as JSON with conn_type, host, port and password, or unset it")

// parseConnection reads a connection, as JSON or as a URI.
func parseConnection(text string) (airflowConnection, error) {
	parse := parseURI
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		parse = parseJSON
	}
	w, x, err := parse(text)
	if err != nil {
		return airflowConnection{}, errConnection
	}
	address, err := w.address()
	if err != nil {
		return airflowConnection{}, errConnection
	}
	return airflowConnection{url: address, token: w.Password, ca: x.CA, cert: x.Cert, key: x.Key}, nil
}

func parseJSON(text string) (w connectionFields, x extra, err error) {
	if err := json.Unmarshal([]byte(text), &w); err != nil {
		return w, x, err
	}
	raw := []byte(w.Extra)
	var quoted string // Airflow takes a text with JSON in it, too
	if json.Unmarshal(raw, &quoted) == nil {
		raw = []byte(quoted)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return w, x, nil
	}
	return w, x, json.Unmarshal(raw, &x)
}

// parseURI reads TYPE://USER:PASSWORD@HOST:PORT/SCHEMA?EXTRA. A host with a scheme
// is written TYPE://https://:PASSWORD@HOST%3APORT by Airflow itself.
func parseURI(text string) (w connectionFields, x extra, err error) {
	kind, rest, ok := strings.Cut(text, "://")
	if !ok {
		return w, x, errConnection
	}
	w.Type = kind
	if scheme, after, twice := strings.Cut(rest, "://"); twice && (scheme == "http" || scheme == "https") {
		w.Schema, rest = scheme, after
	}
	authority, tail := rest, ""
	if end := strings.IndexAny(rest, "/?"); end >= 0 {
		authority, tail = rest[:end], rest[end:]
	}
	at := strings.LastIndex(authority, "@") + 1
	_, password, _ := strings.Cut(strings.TrimSuffix(authority[:at], "@"), ":")
	if w.Password, err = url.PathUnescape(password); err != nil {
		return w, x, err
	}
	if w.Host, err = url.PathUnescape(authority[at:]); err != nil {
		return w, x, err
	}
	u, err := url.Parse(tail)
	if err != nil {
		return w, x, err
	}
	w.Schema = cmp.Or(w.Schema, strings.Trim(u.Path, "/"))
	query := u.Query()
	x = extra{CA: query.Get("ca_cert"), Cert: query.Get("client_cert"), Key: query.Get("client_key")}
	if all := query.Get("__extra__"); all != "" {
		err = json.Unmarshal([]byte(all), &x)
	}
	return w, x, err
}

// address is where the server is: http, unless the schema, the host or the type
// says https.
func (w connectionFields) address() (string, error) {
	if w.Schema != "" && w.Schema != "http" && w.Schema != "https" {
		return "", errConnection
	}
	scheme, host := "http", w.Host
	if before, after, ok := strings.Cut(host, "://"); ok {
		scheme, host = before, after
	} else if w.Schema == "https" || w.Schema == "" && w.Type == "https" {
		scheme = "https"
	}
	if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
		host = "[" + host + "]"
	}
	u, err := url.Parse(scheme + "://" + host)
	if err != nil || scheme != "http" && scheme != "https" || u.Hostname() == "" || u.User != nil {
		return "", errConnection
	}
	if w.Port != "" && w.Port != "0" && u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), w.Port.String())
	}
	return u.String(), nil
}

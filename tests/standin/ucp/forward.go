package ucp

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// place is a node's engine, behind its ucp-proxy.
type place struct{ name, id, address string }

// places are the nodes of the swarm that may answer, by host name. A name that two records have is the one that is ready.
func (f *front) places() (map[string]place, error) {
	nodes, err := f.nodes()
	if err != nil {
		return nil, err
	}
	all := map[string]place{}
	for _, n := range nodes {
		if name := n.Description.Hostname; n.Status.State == "ready" && name != "" {
			all[name] = place{name, n.ID, net.JoinHostPort(n.addr(), proxyPort)}
		}
	}
	return all, nil
}

func (f *front) ask(p place, path string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", "https://"+p.address+path, nil)
	if err != nil {
		return nil, err
	}
	res, err := f.proxies.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err == nil && res.StatusCode != http.StatusOK {
		return nil, &http.ProtocolError{ErrorString: string(text)}
	}
	return text, err
}

// each asks all nodes at once; who does not answer is left out, as in life.
func (f *front) each(places map[string]place, path string, take func(p place, text []byte)) {
	names := make([]string, 0, len(places))
	for name := range places {
		names = append(names, name)
	}
	sort.Strings(names)
	texts := make([][]byte, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		wait.Add(1)
		go func(i int, p place) {
			defer wait.Done()
			texts[i], _ = f.ask(p, path)
		}(i, places[name])
	}
	wait.Wait()
	for i, name := range names {
		if texts[i] != nil {
			take(places[name], texts[i])
		}
	}
}

func (f *front) containers(places map[string]place, path string) []map[string]any {
	list := []map[string]any{}
	f.each(places, path, func(p place, text []byte) {
		var some []map[string]any
		json.Unmarshal(text, &some)
		for _, c := range some {
			names, _ := c["Names"].([]any)
			for i := range names {
				if name, ok := names[i].(string); ok {
					names[i] = "/" + p.name + name
				}
			}
			list = append(list, c)
		}
	})
	return list
}

func (f *front) listVolumes(places map[string]place, path string) any {
	list := []map[string]any{}
	f.each(places, path, func(p place, text []byte) {
		var some struct{ Volumes []map[string]any }
		json.Unmarshal(text, &some)
		for _, v := range some.Volumes {
			if name, ok := v["Name"].(string); ok {
				v["Name"] = p.name + "/" + name
			}
			list = append(list, v)
		}
	})
	return map[string]any{"Volumes": list, "Warnings": []string{}}
}

func (f *front) networks(places map[string]place, path string) any {
	list, seen := []map[string]any{}, map[string]bool{}
	f.each(places, path, func(p place, text []byte) {
		var some []map[string]any
		json.Unmarshal(text, &some)
		for _, n := range some {
			id, _ := n["Id"].(string)
			if n["Scope"] != "swarm" {
				if name, ok := n["Name"].(string); ok {
					n["Name"] = p.name + "/" + name
				}
			}
			if !seen[id] {
				list = append(list, n)
			}
			seen[id] = true
		}
	})
	return list
}

// to forwards to a node's engine.
func (f *front) to(w http.ResponseWriter, r *http.Request, p place, path string) {
	if upgrades(r) {
		tunnel(w, r, path, func() (net.Conn, error) {
			return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", p.address, f.proxies.TLSClientConfig)
		})
		return
	}
	out := &httputil.ReverseProxy{
		Transport: f.proxies, FlushInterval: -1,
		Director: func(r *http.Request) {
			r.URL.Scheme, r.URL.Host, r.URL.Path, r.URL.RawPath = "https", p.address, path, ""
			r.Host = p.address
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			refuse(w, http.StatusInternalServerError, "unable to reach the engine of "+p.name+": "+err.Error())
		},
	}
	out.ServeHTTP(w, r)
}

const constraint = "constraint:node=="

// create makes a container or a volume on the node that is asked for, without asking the engine to know of nodes.
func (f *front) create(w http.ResponseWriter, r *http.Request, places map[string]place) {
	var spec map[string]any
	if err := json.NewDecoder(r.Body).Decode(&spec); err != nil && err != io.EOF {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if spec == nil {
		spec = map[string]any{}
	}
	wanted, query := "", r.URL.Query()
	prefixed := func(name string) string {
		if node, short, ok := strings.Cut(strings.TrimPrefix(name, "/"), "/"); ok {
			wanted = node
			return short
		}
		return name
	}
	if strings.HasPrefix(r.URL.Path, "/volumes") {
		if name, ok := spec["Name"].(string); ok {
			spec["Name"] = prefixed(name)
		}
	} else {
		if name := query.Get("name"); name != "" {
			query.Set("name", prefixed(name))
			r.URL.RawQuery = query.Encode()
		}
		left := []any{}
		env, _ := spec["Env"].([]any)
		for _, one := range env {
			if text, _ := one.(string); strings.HasPrefix(text, constraint) {
				wanted = strings.TrimPrefix(text, constraint)
			} else {
				left = append(left, one)
			}
		}
		spec["Env"] = left
	}
	to, ok := places[wanted]
	if wanted == "" {
		for _, p := range places {
			if !ok || p.name < to.name {
				to, ok = p, true
			}
		}
	}
	if !ok {
		refuse(w, http.StatusInternalServerError, "could not find any nodes on which the container could be created")
		return
	}
	text := toJSON(spec)
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	r.Header.Set("Content-Length", strconv.Itoa(len(text)))
	f.to(w, r, to, r.URL.Path)
}

// find is the node of a container (by name or ID), an exec or a volume.
func (f *front) find(places map[string]place, kind, ref string) (place, bool) {
	path := "/" + kind + "/" + ref
	if kind != "volumes" {
		path += "/json"
	}
	var found []place
	f.each(places, path, func(p place, _ []byte) { found = append(found, p) })
	if len(found) == 0 {
		return place{}, false
	}
	return found[0], true
}

func (f *front) forward(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	parts := strings.Split(strings.TrimPrefix(path, "/"), "/")
	switch parts[0] {
	case "containers", "volumes", "exec", "networks":
	default:
		f.engine.ServeHTTP(w, r)
		return
	}
	places, err := f.places()
	if err != nil {
		refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	switch r.Method + " " + path {
	case "GET /containers/json":
		f.write(w, f.containers(places, r.URL.RequestURI()))
		return
	case "GET /volumes":
		f.write(w, f.listVolumes(places, r.URL.RequestURI()))
		return
	case "GET /networks":
		f.write(w, f.networks(places, r.URL.RequestURI()))
		return
	case "POST /containers/create", "POST /volumes/create":
		f.create(w, r, places)
		return
	}
	if parts[0] == "networks" || len(parts) < 2 {
		f.engine.ServeHTTP(w, r)
		return
	}
	// NODE/NAME; but a container may be called like a node, as in /containers/NAME/json.
	if p, ok := places[parts[1]]; ok && (len(parts) > 3 || len(parts) == 3 && (parts[0] == "volumes" || r.Method == "DELETE")) {
		f.to(w, r, p, "/"+parts[0]+"/"+strings.Join(parts[2:], "/"))
		return
	}
	ref := parts[1]
	verb := strings.Join(parts[2:], "/")
	if len(parts) > 3 || len(parts) == 3 && (parts[0] == "volumes" || r.Method == "DELETE") {
		refuse(w, http.StatusNotFound, "no such node: "+ref)
		return
	}
	p, ok := f.find(places, parts[0], ref)
	if !ok {
		refuse(w, http.StatusNotFound, "No such "+strings.TrimSuffix(parts[0], "s")+": "+ref)
		return
	}
	if verb != "" {
		verb = "/" + verb
	}
	f.to(w, r, p, "/"+parts[0]+"/"+ref+verb)
}

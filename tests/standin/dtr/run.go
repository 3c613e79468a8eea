package dtr

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"standin/internal/docker"
)

// place is where a container is to run.
type place struct {
	host    string
	network string            // "none", "host", "bridge" or the overlay network
	name    string            // "" is dtr-phase2
	binds   []string          //
	ports   map[string]string // of the host, by port of the container
}

func portBindings(ports map[string]string) (exposed, bound map[string]any) {
	exposed, bound = map[string]any{}, map[string]any{}
	for inner, outer := range ports {
		exposed[inner+"/tcp"] = struct{}{}
		bound[inner+"/tcp"] = []any{map[string]string{"HostPort": outer}}
	}
	return exposed, bound
}

func binary() string {
	path, err := os.Executable()
	if err != nil {
		return "/standin"
	}
	return path
}

// volumesOf are the binds of phase 2 of a replica.
func volumesOf(id string) []string {
	return []string{"dtr-rethink-" + id + ":" + dataDir, "dtr-ca-" + id + ":" + caDir}
}

// run does a job on a node. With an archive, that is called as soon as phase 2 tells its port.
func (s *session) run(at place, j job, archive func(port int) error) (result, error) {
	j.Version = s.version
	text, err := json.Marshal(j)
	if err != nil {
		return result{}, err
	}
	if at.name == "" {
		at.name = "dtr-phase2"
	}
	exposed, bound := portBindings(at.ports)
	body := map[string]any{
		"Image": "docker/dtr:" + s.version, "Entrypoint": []string{binary(), "dtr"}, "Cmd": []string{"phase2"},
		"Env":          []string{"STANDIN_JOB=" + string(text), "constraint:node==" + at.host},
		"ExposedPorts": exposed,
		"HostConfig":   map[string]any{"NetworkMode": at.network, "Binds": at.binds, "PortBindings": bound},
	}
	if err := s.ucp.Do("POST", "/containers/create?name="+url.QueryEscape(at.name), body, nil); err != nil {
		return result{}, fmt.Errorf("unable to create %s on %s: %w", at.name, at.host, err)
	}
	path := "/containers/" + docker.Escape(at.host+"/"+at.name)
	defer s.ucp.Do("DELETE", path+"?force=1&v=1", nil, nil)
	if err := s.ucp.Do("POST", path+"/start", nil, nil); err != nil {
		return result{}, fmt.Errorf("unable to start %s on %s: %w", at.name, at.host, err)
	}
	var bad error
	if archive != nil {
		port, err := s.port(path)
		if err == nil {
			err = archive(port)
		}
		bad = err
	}
	var end struct{ StatusCode int }
	if err := s.ucp.WithTimeout(time.Hour).Do("POST", path+"/wait", nil, &end); err != nil {
		return result{}, err
	}
	found, fatal, err := s.logs(path, true)
	switch {
	case err != nil:
		return found, err
	case end.StatusCode != 0 && fatal != "":
		return found, errors.New(fatal)
	case end.StatusCode != 0:
		return found, fmt.Errorf("%s ended with status %d", at.name, end.StatusCode)
	}
	return found, bad
}

// logs reads what phase 2 wrote so far: its last result, and why it ended.
func (s *session) logs(path string, relay bool) (found result, fatal string, err error) {
	stream, err := s.ucp.Stream("GET", path+"/logs?stdout=1&stderr=1", nil, "")
	if err != nil {
		return found, "", err
	}
	defer stream.Close()
	var out, said bytes.Buffer
	if err := docker.Split(&out, &said, stream); err != nil {
		return found, "", err
	}
	for _, line := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		if line != "" {
			json.Unmarshal([]byte(line), &found)
		}
	}
	for _, line := range strings.Split(strings.TrimSpace(said.String()), "\n") {
		if _, quoted, ok := strings.Cut(line, " level=fatal msg="); ok {
			json.Unmarshal([]byte(quoted), &fatal)
		} else if relay && line != "" {
			fmt.Fprintln(s.say.to, line)
		}
	}
	return found, fatal, nil
}

// port waits until phase 2 has told where it listens.
func (s *session) port(path string) (int, error) {
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		found, fatal, err := s.logs(path, false)
		switch {
		case err != nil:
			return 0, err
		case fatal != "":
			return 0, errors.New(fatal)
		case found.Port != 0:
			return found.Port, nil
		}
	}
	return 0, errors.New("phase 2 does not say where it listens")
}

// Renders a Helm chart's templates with Go's own template engine and sprig, as helm does: reads
// {"templates": DIR, "chart": {…}, "release": {…}, "values": {…}} and writes {FILE: TEXT, …}.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"gopkg.in/yaml.v3"
)

type input struct {
	Templates string                 `json:"templates"`
	Chart     map[string]interface{} `json:"chart"`
	Release   map[string]interface{} `json:"release"`
	Values    map[string]interface{} `json:"values"`
}

func toYaml(value interface{}) (string, error) {
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	err := encoder.Encode(value)
	return strings.TrimSuffix(text.String(), "\n"), err
}

func functions(root *template.Template) template.FuncMap {
	all := sprig.TxtFuncMap()
	// Helm takes these two away: a chart must not see the environment of whoever renders it.
	delete(all, "env")
	delete(all, "expandenv")
	all["toYaml"] = toYaml
	all["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := root.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	all["required"] = func(why string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return value, errors.New(why)
		}
		return value, nil
	}
	return all
}

func render(in input) (map[string]string, error) {
	root := template.New("chart")
	root.Funcs(functions(root)).Option("missingkey=error")
	files, err := filepath.Glob(filepath.Join(in.Templates, "*"))
	if err != nil {
		return nil, err
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if _, err := root.New("ephor/templates/" + filepath.Base(file)).Parse(string(text)); err != nil {
			return nil, err
		}
	}
	rendered := map[string]string{}
	for _, file := range files {
		name := "ephor/templates/" + filepath.Base(file)
		if strings.HasPrefix(filepath.Base(file), "_") {
			continue
		}
		data := map[string]interface{}{
			"Chart": in.Chart, "Release": in.Release, "Values": in.Values,
			"Template": map[string]interface{}{"Name": name, "BasePath": "ephor/templates"},
		}
		var text strings.Builder
		if err := root.ExecuteTemplate(&text, name, data); err != nil {
			return nil, err
		}
		rendered[filepath.Base(file)] = text.String()
	}
	return rendered, nil
}

func main() {
	var in input
	rendered, err := map[string]string(nil), json.NewDecoder(os.Stdin).Decode(&in)
	if err == nil {
		rendered, err = render(in)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(rendered)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

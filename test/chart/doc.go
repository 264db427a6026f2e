// Package chart tests the Helm chart in charts/prewarm, as far as that can be
// done without a cluster: what it renders is compared with the files below
// testdata, checked against Kubernetes' own schemas, and its configuration is
// read by the program. It is installed on no cluster here.
//
// Without a tag it holds the chart's copies of files of docs against them, and
// that no value is without a test; `make chart-test` runs the rest, tag chart,
// with the tools that it builds.
package chart

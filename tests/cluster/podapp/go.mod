module remora.dev/tests/cluster/podapp

go 1.26.0

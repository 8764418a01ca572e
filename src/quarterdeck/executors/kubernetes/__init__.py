"""Runs attempts as Jobs of a Kubernetes cluster. Only `client` talks to it and knows its package."""

from quarterdeck.executors.kubernetes.executor import KubernetesExecutor as KubernetesExecutor

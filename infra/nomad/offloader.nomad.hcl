# Two replicas. What the clients need first is in README.md.
job "offloader" {
  datacenters = ["*"]
  type        = "service"

  # A new version comes up beside the old ones, and takes over once it is ready.
  update {
    max_parallel      = 1
    canary            = 1
    health_check      = "checks"
    min_healthy_time  = "10s"
    healthy_deadline  = "30m" # a cold build of every dataset has to fit
    progress_deadline = "45m"
    auto_promote      = true
    auto_revert       = true
  }

  group "offloader" {
    count = 2

    spread {
      attribute = "${node.unique.id}"
    }

    network {
      port "api" {
        to = 4000
      }
      # `private` is an address of the client that only operators and monitoring reach.
      port "admin" {
        to           = 4001
        host_network = "private"
      }
    }

    volume "project" {
      type      = "host"
      source    = "offloader-project"
      read_only = true
    }

    volume "state" {
      type   = "host"
      source = "offloader-state"
    }

    service {
      name     = "offloader-api"
      provider = "nomad"
      port     = "api"

      # 200 while this instance can serve: a proxy sends requests to those only.
      check {
        name     = "serves"
        type     = "http"
        path     = "/healthz"
        interval = "5s"
        timeout  = "3s"
      }
    }

    service {
      name     = "offloader-admin"
      provider = "nomad"
      port     = "admin"

      # Decides over the roll-out. It never restarts: an instance that builds is not ready.
      check {
        name     = "ready"
        type     = "http"
        path     = "/ready"
        interval = "5s"
        timeout  = "3s"
      }

      check {
        name     = "live"
        type     = "http"
        path     = "/live"
        interval = "10s"
        timeout  = "5s"

        check_restart {
          limit = 3
          grace = "60s"
        }
      }
    }

    restart {
      attempts = 10
      interval = "10m"
      delay    = "5s"
      mode     = "delay"
    }

    task "offloader" {
      driver       = "docker"
      user         = "10001:0"
      kill_signal  = "SIGTERM"
      kill_timeout = "40s" # 5 s to drain, 25 s to finish, 10 s to spare

      config {
        image           = "ghcr.io/offloader/offloader:0.1.0"
        ports           = ["api", "admin"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        security_opt    = ["no-new-privileges"]
        pids_limit      = 1024
      }

      volume_mount {
        volume      = "project"
        destination = "/project"
        read_only   = true
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/offloader"
      }

      template {
        destination          = "${NOMAD_SECRETS_DIR}/admin_token"
        data                 = "{{ with nomadVar \"nomad/jobs/offloader\" }}{{ .admin_token }}{{ end }}"
        perms                = "0400"
        uid                  = 10001
        gid                  = 0
        change_mode          = "restart"
        error_on_missing_key = true
      }

      env {
        OFFLOADER_CONFIG               = "/project"
        OFFLOADER_CONFIG_SYNC_INTERVAL = "30"
        OFFLOADER_ADMIN_TOKEN_FILE     = "${NOMAD_SECRETS_DIR}/admin_token"
        OFFLOADER_WORKERS              = "2" # `cpu` is a share, not a limit to count by
        OFFLOADER_DRAIN_SECONDS        = "5"
        OFFLOADER_SHUTDOWN_SECONDS     = "25"
      }

      resources {
        cpu    = 2000
        memory = 4096
      }
    }
  }
}

"""What an orchestrator's example says of the container, and the same for a container engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from offloader import __version__
from offloader.settings.settings import Settings, read_settings
from offloader.settings.variables import VARIABLES
from tests.container.contained import STATE_FOLDER, Contained
from tests.container.engine import Engine
from tests.service_process import ADMIN_TOKEN

IMAGE = f"ghcr.io/offloader/offloader:{__version__}"
API_PORT, ADMIN_PORT = (
    int(str(variable.default)) for variable in VARIABLES if variable.field.endswith("_port")
)
# What the drain and the last requests may take, and some seconds for the rest.
LEAST_GRACE_SECONDS = 35
READY_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The parts of an example that an engine has, too; `secrets` are files by their place."""

    image: str
    user: str
    is_read_only: bool
    dropped: tuple[str, ...]
    security: tuple[str, ...]
    environ: Mapping[str, str]
    state_mount: str
    memory_mib: int
    secrets: Mapping[str, str]

    def check(self) -> None:
        """Fail unless the container runs hardened, in the right version, with its state kept."""
        assert self.image == IMAGE
        assert self.user == "10001:0"
        assert self.is_read_only
        assert [name.upper() for name in self.dropped] == ["ALL"]
        assert self.state_mount == STATE_FOLDER

    def settings(self, folder: Path) -> Settings:
        """Return what the service reads of the environment; fail on any problem or warning.

        The files of secrets are looked for below `folder`, where they are made.
        """
        environ = dict(self.environ)
        for name, text in environ.items():
            if text in self.secrets:
                secret = folder / Path(text).name
                secret.write_text(self.secrets[text], encoding="utf-8")
                environ[name] = str(secret)
        settings, warnings = read_settings(environ, is_terminal=False, cpus=1, memory_bytes=2**32)
        assert warnings == ()
        return settings

    def with_environ(self, **changed: str) -> ContainerSpec:
        """Return it with some variables changed, given without their prefix; empty is unset."""
        upper = {f"OFFLOADER_{name.upper()}": text for name, text in changed.items()}
        return replace(self, environ={**self.environ, **upper})


@contextmanager
def run_as_said(
    engine: Engine, image: str, spec: ContainerSpec, project: Path, folder: Path
) -> Iterator[Contained]:
    """Run the image as an example says until the block ends; wait first until it is ready.

    The project is mounted where the example reads it, secrets are files of `folder`.
    """
    name = engine.run("create", *_options(spec, project, folder), image)
    container = Contained(engine, name)
    try:
        container.start()
        container.wait(container.is_ready, READY_SECONDS)
        yield container
    finally:
        engine.run("rm", "--force", "--volumes", name)


def _options(spec: ContainerSpec, project: Path, folder: Path) -> list[str]:
    options = [f"--publish=127.0.0.1::{port}" for port in (API_PORT, ADMIN_PORT)]
    options += ["--user", spec.user, "--volume", spec.state_mount]
    options += ["--memory", f"{spec.memory_mib}m"]
    options += ["--read-only"] if spec.is_read_only else []
    options += [f"--cap-drop={name.upper()}" for name in spec.dropped]
    options += [f"--security-opt={name}" for name in spec.security]
    options += [f"--volume={project}:{spec.environ['OFFLOADER_CONFIG']}:ro"]
    options += [f"--env={name}={text}" for name, text in spec.environ.items() if text]
    for place, secret in spec.secrets.items():
        path = folder / Path(place).name
        path.write_text(secret, encoding="utf-8")
        path.chmod(0o444)  # the uid in the container is another
        options.append(f"--volume={path}:{place}:ro")
    return options


def check_routes(container: Contained, api: list[str], admin: list[str]) -> None:
    """Fail unless each route answers 200 at its port, and none of the admin's at the API's."""
    for path in api:
        assert container.ask(path).status == 200, path
    for path in admin:
        assert container.ask_admin(path).status == 200, path
        assert container.ask(path).status == 404, path
    token = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    assert container.diagnostics()
    assert container.ask("/diagnostics", token).status == 404

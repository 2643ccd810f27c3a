"""Kinds become classes, and definitions become systems, or it is said why not."""

import os
import sys
import textwrap

import pytest

from actors import ConnectorError, ExternalSystemInterface
from actors.connectors.kinds import KINDS, build_system, resolve_kind
from actors.connectors.mock.system import MockExternalSystem
from actors.errors import ActorSetupError
from actors.messages import SystemDefinition
from actors.payload import encode

SYSTEM = """
    from actors import ConnectorError, ExternalSystemInterface

    class Plc(ExternalSystemInterface):
        async def connect(self): return True
        async def disconnect(self): return True
        async def send_data(self, data): return True
        async def receive_data(self): return None

    class Outer:
        class Inner(Plc):
            pass

    class Half(ExternalSystemInterface):
        async def connect(self): return True

    class Choosy(Plc):
        def __init__(self, name):
            pass

    class Refusing(Plc):
        def __init__(self, name, details):
            raise ConnectorError("no such device")

    class Shifty(Plc):
        def __new__(cls, name, details):
            return "something else"

    number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported during the test."""

    written = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(text))
        written.append(name)
        return name

    monkeypatch.syspath_prepend(tmp_path)
    yield write
    for name in written:
        sys.modules.pop(name, None)


@pytest.fixture
def plant(module):
    return module("plant_systems", SYSTEM)


# ---- kinds -------------------------------------------------------------------------


def test_mock_and_tcp_are_the_built_in_kinds():
    assert KINDS == {
        "mock": "actors.connectors.mock.system:MockExternalSystem",
        "tcp": "actors.connectors.tcp.system:TcpSystem",
    }


def test_mock_is_the_mock_system():
    assert resolve_kind("mock") is MockExternalSystem


@pytest.mark.parametrize("name", ["Plc", "Outer.Inner"])
def test_a_dotted_kind_is_the_class_it_names(plant, name):
    assert resolve_kind(f"{plant}:{name}").__qualname__ == name


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("mqtt", 'kind "mqtt" is unknown; known are "mock", "tcp", and "package.module:Class"'),
        ("mokc", 'kind "mokc" is unknown; did you mean "mock"?'),
        ("", 'kind "" is unknown'),
        ("actors.connectors.mock.system", 'kind "actors.connectors.mock.system" is unknown'),
        (":Plc", 'kind ":Plc" is unknown'),
        ("a b:C", 'kind "a b:C" is unknown'),
        (".mock:Mock", 'kind ".mock:Mock" is unknown'),
        ("mock:", 'kind "mock:" is unknown'),
        (
            "no_such_module:Plc",
            "module no_such_module cannot be imported: ModuleNotFoundError: No module named "
            "'no_such_module'; install it, or put its directory on PYTHONPATH",
        ),
        ("plant_systems:Plx", 'kind "plant_systems:Plx": plant_systems has no Plx'),
        ("plant_systems:Outer.Plx", "plant_systems has no Outer.Plx"),
        ("plant_systems:number", "number is no class that inherits"),
        ("plant_systems:Outer", "Outer is no class that inherits from ExternalSystemInterface"),
        (
            "plant_systems:Half",
            "Half is abstract; it must implement disconnect, receive_data, send_data",
        ),
    ],
)
def test_a_kind_that_leads_to_no_class_says_why(plant, kind, text):
    with pytest.raises(ActorSetupError) as caught:
        resolve_kind(kind)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "1 / 0",
            "ZeroDivisionError: division by zero; its own code raised it: mend DIR.py, line 1",
        ),
        ("\nraise SystemExit(3)", "SystemExit: 3; its own code raised it: mend DIR.py, line 2"),
        (
            "import no_such_client",
            "it imports no_such_client, which is not there (ModuleNotFoundError: No module named "
            "'no_such_client'); install no_such_client",
        ),
        ("\n\ndef", "mend DIR.py, line 3"),
    ],
)
def test_a_module_that_fails_to_import_says_why(module, code, text):
    name = module("broken_systems", code)
    with pytest.raises(ActorSetupError) as caught:
        resolve_kind(f"{name}:Plc")
    assert "module broken_systems cannot be imported" in str(caught.value)
    directory = os.path.join(sys.path[0], "broken_systems")
    assert text.replace("DIR", directory) in str(caught.value)
    assert "PYTHONPATH" not in str(caught.value)


def test_a_module_that_says_itself_what_is_missing_is_quoted_as_it_is(module):
    name = module(
        "careful_systems",
        """
        from actors.errors import ActorSetupError
        raise ActorSetupError("install extsys[plc]")
        """,
    )
    with pytest.raises(ActorSetupError) as caught:
        resolve_kind(f"{name}:Plc")
    assert str(caught.value) == "install extsys[plc]"


# ---- systems -----------------------------------------------------------------------


def test_a_system_is_built_from_its_kind():
    system = build_system(SystemDefinition("plc-1", "mock", {"port": 8080}))
    assert isinstance(system, MockExternalSystem)
    assert system.system_name == "plc-1"
    assert system.connection_details == {"port": 8080}


def test_a_system_is_built_from_its_snapshot_whatever_its_kind():
    original = MockExternalSystem("plc-1", {})
    original.mock_data_queue.append("early")
    definition = SystemDefinition("plc-1", "nowhere:Nothing", snapshot=encode(original))
    system = build_system(definition)
    assert isinstance(system, MockExternalSystem)
    assert list(system.mock_data_queue) == ["early"]


def test_a_class_from_inside_a_function_travels_in_its_snapshot():
    class Local(MockExternalSystem):
        pass

    definition = SystemDefinition("plc-1", "x:Local", snapshot=encode(Local("plc-1", {})))
    assert type(build_system(definition)).__name__ == "Local"


@pytest.mark.parametrize(
    ("definition", "text"),
    [
        (SystemDefinition("plc-1", "mqtt"), "system 'plc-1': kind \"mqtt\" is unknown"),
        (
            SystemDefinition("plc-1", "plant_systems:Choosy"),
            "system 'plc-1': Choosy cannot be built with (system_name, connection_details): "
            "too many positional arguments",
        ),
        (
            SystemDefinition("plc-1", "plant_systems:Shifty"),
            "system 'plc-1': plant_systems:Shifty gave an object of type str",
        ),
        (
            SystemDefinition("plc-1", "m:C", snapshot=encode([1])),
            "system 'plc-1': m:C gave an object of type list",
        ),
        (
            SystemDefinition("plc-1", "m:C", snapshot=b"cno_such_module\nPlc\n."),
            "system 'plc-1': the snapshot of m:C cannot be unpickled: data cannot be read in "
            "this process: ModuleNotFoundError: No module named 'no_such_module'",
        ),
        (
            SystemDefinition("plc-1", "mock", {"latency": "slow"}),
            "system 'plc-1': wrong connection_details: latency: must be a finite number",
        ),
    ],
)
def test_a_system_that_cannot_be_built_says_which_and_why(plant, definition, text):
    with pytest.raises(ActorSetupError) as caught:
        build_system(definition)
    assert text in str(caught.value)


def test_what_a_constructor_raises_passes_through(plant):
    with pytest.raises(ConnectorError, match=r"^no such device$"):
        build_system(SystemDefinition("plc-1", "plant_systems:Refusing"))


def test_a_system_whose_constructor_cannot_be_inspected_is_built_all_the_same(monkeypatch):
    class Opaque(MockExternalSystem):
        __signature__ = "none"

    monkeypatch.setitem(globals(), "Opaque", Opaque)
    system = build_system(SystemDefinition("plc-1", f"{__name__}:Opaque"))
    assert isinstance(system, ExternalSystemInterface)

"""The stored weights: they are those of the record's training, and they run without Keras."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from upconv.book import autoencoder, data, records, trained
from upconv.book.autoencoder import BATCHES, HEADS

torch.set_num_threads(1)
KNOWN = records.load("heads").results["heads"]
LAST = BATCHES[-1]


@pytest.fixture(scope="module")
def test_images():
    return autoencoder.pixels(data.load("test")[0])


def test_the_record_and_the_files_hold_every_head_at_every_moment():
    record = records.load("weights")
    assert list(record.results) == list(HEADS)
    assert record.settings["batches"] == list(BATCHES)
    assert {path.stem for path in trained.FOLDER.iterdir()} == {trained.slug(h) for h in HEADS}
    for head in HEADS:
        stored = trained.load(head)
        assert stored.weights.shape == (len(BATCHES), KNOWN[head]["parameters"])
        assert stored.latent.shape == (len(BATCHES), 8)


@pytest.mark.parametrize("head", HEADS)
def test_the_stored_weights_have_the_loss_of_the_record(head, test_images):
    told = records.load("weights").results[head]["moments"]
    recorded = KNOWN[head]["seeds"][0]["test"]
    for batches, epoch in ((0, 0), (LAST, autoencoder.EPOCHS)):
        pictures = autoencoder.answer(autoencoder.restored(head, batches), test_images)
        loss = autoencoder._cross_entropy(test_images, pictures)
        assert f"{loss:.3f}" == f"{recorded[epoch]:.3f}"
        # Rounded to five digits there, and summed by Keras in float32.
        assert_allclose(loss, recorded[epoch], atol=2e-5)
        assert_allclose(told[BATCHES.index(batches)]["loss"], loss, atol=1e-6)


@pytest.mark.parametrize("head", HEADS)
def test_the_record_says_which_layers_the_models_have(head):
    described = json.loads(json.dumps(autoencoder._described(autoencoder.build(head))))
    assert trained.load(head).layers == described


@pytest.mark.parametrize("batches", [0, 94, LAST])
@pytest.mark.parametrize("head", HEADS)
def test_without_keras_the_same_pictures(head, batches, test_images):
    stored, model = trained.load(head), autoencoder.restored(head, batches)
    some = test_images[:20]
    x = torch.from_numpy(some).movedim(3, 1).double()
    assert_allclose(
        trained.run(stored, x, batches).movedim(1, 3), autoencoder.answer(model, some), atol=1e-5
    )
    latent = trained.run(stored, x, batches, "encoder")
    wanted = autoencoder.answer(model.get_layer("encoder"), some)
    assert_allclose(latent.movedim(1, 3), wanted, rtol=1e-4, atol=1e-5)
    pictures = trained.run(stored, latent, batches, "decoder")
    assert_allclose(pictures, trained.run(stored, x, batches), atol=1e-12)


@pytest.mark.parametrize("head", ["blog", "transposed k3"])
def test_the_mean_latents_are_those_of_the_test_images(head, test_images):
    encoder = autoencoder.restored(head, 94).get_layer("encoder")
    wanted = autoencoder.answer(encoder, test_images).mean((0, 1, 2))
    assert_allclose(trained.load(head).latent[BATCHES.index(94)], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("head", ["transposed k2"])
def test_training_again_leads_past_the_stored_weights(head):
    model, seen = autoencoder.build(head, 0), {}

    def watch(batches):
        if batches in BATCHES:
            seen[batches] = autoencoder._numbers(model)

    few = autoencoder.pixels(data.load("test")[0][:1])
    autoencoder.train(model, seed=0, epochs=1, test=few, watch=watch)
    assert list(seen) == [0, 24, 47]
    for batches, numbers in seen.items():
        stored = trained.load(head).weights[BATCHES.index(batches)]
        # Bit for bit on one machine. Another rounds in another way, and a step of adam is 0.001
        # for a gradient however small: a few weights may be some steps away, no more.
        assert_allclose(numbers, stored, atol=5e-3)
        assert np.abs(numbers - stored).mean() < 1e-4


def test_the_experiment_stores_what_it_trains(monkeypatch, tmp_path):
    load = data.load
    monkeypatch.setattr(data, "load", lambda split: tuple(a[:200] for a in load(split)))
    monkeypatch.setattr(autoencoder, "EPOCHS", 1)
    monkeypatch.setattr(autoencoder, "BATCHES", (0, 2))
    monkeypatch.setattr(autoencoder, "HEADS", {"blog": None})
    monkeypatch.setattr(trained, "FOLDER", tmp_path / "trained")
    settings, results = autoencoder.weights()
    assert settings == {"seed": 0, "batches": (0, 2), "epochs": 1, "batch": 128}
    rows = np.load(tmp_path / "trained" / "blog.npy")
    assert rows.shape == (2, 4385 + 8)
    assert_allclose(rows[0, :4385], trained.load("blog").weights[0], atol=1e-7)
    first, second = results["blog"]["moments"]
    assert first["loss"] > second["loss"]
    assert first.keys() == {"loss", "grid", "constant"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: trained.load("k5"), "head: got 'k5'; want one of 'blog', 'nearest'"),
        (lambda: list(trained.load("blog").tensors(5)), "batches: got 5; want one of 0, 24, 47"),
        (lambda: trained.run(trained.load("blog"), torch.zeros(1, 1, 28, 28), 0, "all"), "part:"),
        (lambda: autoencoder.restored("k5"), "head: got 'k5'"),
        (lambda: autoencoder.restored("blog", 5), "batches: got 5; want one of"),
    ],
)
def test_what_is_not_stored_is_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_missing_or_damaged_files_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(trained, "FOLDER", tmp_path)
    trained.load.cache_clear()
    with pytest.raises(FileNotFoundError, match="`python -m upconv.book.records weights` makes"):
        trained.load("blog")
    trained.save("blog", np.zeros((3, 4385)), np.zeros((3, 8)))
    with pytest.raises(ValueError, match=r"blog.npy: got float32 of shape \(3, 4393\); want"):
        trained.load("blog")
